"""What the services need of the process that reads the log for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from web.history.mirrored import Offsets


class Follower(Protocol):
    """Keeps ``RecentMessages`` up to date with the log. ``has_caught_up``: whether it was up to date once."""

    has_caught_up: bool

    async def catch_up(self, timeout_seconds: float) -> bool:
        """Return ``True`` once all that was acknowledged before the call is in the cache, ``False`` if it cannot be
        within the time."""
        ...

    async def catch_up_with_facts(self, timeout_seconds: float) -> bool:
        """As ``catch_up``, for the facts about messages: what others reported before the call is known."""
        ...

    def records_behind(self) -> int | None:
        """Return how many records are still to be read, ``None`` while that is unknown."""
        ...

    async def mirrored(self) -> Offsets:
        """Return how far the mirror has written; may raise ``KafkaError`` or ``OSError``."""
        ...
