"""Where a message lies on the log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A message's position in its conversation: the broker's append time (epoch ms) and the offset on ``messages``.

    A conversation lives on one partition, so the offset alone orders it as the log does. The time may step back with
    the broker's clock; it says where the row of the message lies, and decides only between equal offsets.
    """

    accepted_at_ms: int
    offset: int

    def __lt__(self, other: LogPosition) -> bool:
        return (self.offset, self.accepted_at_ms) < (other.offset, other.accepted_at_ms)

    def __le__(self, other: LogPosition) -> bool:
        return (self.offset, self.accepted_at_ms) <= (other.offset, other.accepted_at_ms)

    def __gt__(self, other: LogPosition) -> bool:
        return (self.offset, self.accepted_at_ms) > (other.offset, other.accepted_at_ms)

    def __ge__(self, other: LogPosition) -> bool:
        return (self.offset, self.accepted_at_ms) >= (other.offset, other.accepted_at_ms)
