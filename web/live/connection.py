"""The outgoing side of one user's WebSocket.

Frames are written straight to the transport: the same bytes for every connection, without a task or queue for each.
Unread frames stay in the transport's buffer, so its size is the bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from web.live.frames import TOO_SLOW, Event
from web.live.positions import Positions

DRAIN_SECONDS = 10.0
_LOOK_SECONDS = 0.02


class Wire(Protocol):
    """The part of ``asyncio.WriteTransport`` used here."""

    def write(self, data: bytes) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def is_closing(self) -> bool: ...


class Connection:
    """``start``: events before it are not sent live. ``held``: live frames waiting for the end of the replay.

    ``on_close`` is called once with the code and the reason; no frame is written afterwards.
    """

    def __init__(
        self, user_id: str, wire: Wire, buffer_bytes: int, on_close: Callable[[Connection, int, str], None]
    ) -> None:
        self.user_id = user_id
        self.start: Positions | None = None
        self.held: list[tuple[Event, bytes]] | None = None
        self._held_bytes = 0
        self._wire = wire
        self._buffer_bytes = buffer_bytes
        self._on_close = on_close
        self.is_open = True
        self.is_greeted = False
        self.timer: asyncio.TimerHandle | None = None  # until the token expires

    def put(self, event: Event, frame: bytes) -> bool:
        """Send or hold a live frame; return whether it was written. Close the connection of a reader too slow for
        it.
        """
        if self.start is None or event.offset < self.start[event.log_index]:
            return False
        if self.held is None:
            return self.write(frame)
        self._held_bytes += len(frame)
        if self._held_bytes > self._buffer_bytes:
            self.close(TOO_SLOW, "too many events while catching up; connect again with since")
        else:
            self.held.append((event, frame))
        return False

    def write(self, frame: bytes) -> bool:
        """Write a frame; return whether it was written. Close the connection of a reader too slow for it."""
        if not self.is_open or self._wire.is_closing():
            return False
        if not self.has_room_for(frame):
            self.close(TOO_SLOW, "frames were not read in time; connect again with since")
            return False
        self._wire.write(frame)
        return True

    def has_room_for(self, frame: bytes) -> bool:
        """Return whether the frame fits in the buffer. One frame always fits in an empty one."""
        waiting = self._wire.get_write_buffer_size()
        return not waiting or waiting + len(frame) <= self._buffer_bytes

    async def drained(self) -> None:
        """Return when half the buffer is free. Close the connection if this takes longer than ``DRAIN_SECONDS``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DRAIN_SECONDS
        while self.is_open and self._wire.get_write_buffer_size() > self._buffer_bytes // 2:
            if loop.time() > deadline:
                self.close(TOO_SLOW, "frames were not read in time; connect again with since")
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def close(self, code: int, reason: str) -> None:
        """Stop sending and call ``on_close``."""
        if self.is_open:
            self.ended()
            self._on_close(self, code, reason)

    def ended(self) -> None:
        """Stop sending."""
        self.is_open = False
        self.held = None
        if self.timer is not None:
            self.timer.cancel()
