"""Messages to several recipients take several tokens of their sender's rate limit."""

from __future__ import annotations

from collections.abc import Callable

from domain.records import MessageAccepted

# takes so many tokens of the caller's rate; raises ``RateLimited``
Spend = Callable[[int], None]


def pay(message: MessageAccepted, spend: Spend) -> None:
    """Take a token for each recipient but the first, paid by the request itself. Raises ``RateLimited``."""
    if len(message.targets) > 1:
        spend(len(message.targets) - 1)
