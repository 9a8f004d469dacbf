"""The port of the log tailer, as the services use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from web.history.mirrored import Offsets


class Tailer(Protocol):
    """Keeps ``RecentMessages`` up to date with the log. ``has_caught_up``: it was up to date once."""

    has_caught_up: bool

    async def catch_up(self, timeout_seconds: float) -> bool:
        """Return ``True`` once every message acknowledged before the call is cached, ``False`` if the time is over."""
        ...

    async def catch_up_with_facts(self, timeout_seconds: float) -> bool:
        """As ``catch_up``, for the facts reported before the call."""
        ...

    def records_behind(self) -> int | None:
        """Return how many records are unread, ``None`` while unknown."""
        ...

    async def mirrored(self) -> Offsets:
        """Return the mirror's offsets; may raise ``KafkaError`` or ``OSError``."""
        ...
