"""Split a file's bytes into parts of one size and store them: hashed on the way, bounded in memory.

At any time an upload has one part being filled, one being stored, and a few more being stored while ``PartSlots`` has
room. ``write`` waits for room, so TCP slows the client down.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Protocol, Self

from domain.ports import FileStore, Part

HASH_THREADS = 2
EXTRA_PARTS = 8  # of a process, beyond one for each upload
_MOST_IN_FLIGHT = 3  # of one upload
# Below this a thread costs other requests more than the hash does: SHA-256 of 64 KiB takes 0.04 to 0.2 ms.
HASHED_HERE_BYTES = 64 * 1024
_SMALL_BYTES = 16 * 1024  # pieces below this are gathered: a client that sends single bytes makes few objects


class Hash(Protocol):
    """A ``hashlib`` hash object."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...

    def copy(self) -> Self: ...


class PartSlots:
    """Slots for parts being stored, beyond the one of each upload."""

    def __init__(self, extra: int = EXTRA_PARTS) -> None:
        self._free = extra

    def take(self) -> bool:
        """Take a slot; return whether one was free."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def give(self) -> None:
        """Return a slot."""
        self._free += 1


class PartWriter:
    """Writes the parts of one upload, beginning with part ``first``. ``incomplete_part``: earlier bytes of that part.

    ``begin`` returns the store's name of the upload; it is called before each part is stored. ``checksum`` gets all
    bytes after the incomplete part, in order; ``None`` if no checksum is wanted. ``stored``: the durable parts.
    """

    def __init__(
        self,
        store: FileStore,
        key: str,
        begin: Callable[[], Awaitable[str]],
        slots: PartSlots,
        threads: Executor,
        *,
        first: int = 1,
        incomplete_part: bytes = b"",
        checksum: Hash | None = None,
    ) -> None:
        self._store = store
        self._part_bytes = store.part_bytes
        self._key = key
        self._begin = begin
        self._slots = slots
        self._threads = threads
        self._checksum = checksum
        self._first = self._next = first
        # as they came: to gather them in one growing buffer would copy each byte twice, and leave holes in memory
        self._pieces: list[bytes | bytearray] = [incomplete_part] if incomplete_part else []
        self._filled = len(incomplete_part)
        self._to_hash = len(incomplete_part)  # so many bytes of the part being filled are hashed already
        self._flying: set[asyncio.Task[None]] = set()
        self._hashed: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self.stored: dict[int, Part] = {}

    @property
    def durable_bytes(self) -> int:
        """How many bytes are in the store without a gap, counted from this writer's first part."""
        number = self._first
        while number in self.stored:
            number += 1
        return (number - self._first) * self._part_bytes

    @property
    def waiting(self) -> bytes:
        """The bytes of the part being filled."""
        return b"".join(self._pieces)

    async def write(self, data: bytes) -> None:
        """Add ``data``; return when there is room for more. Raises the error of an earlier part's storing."""
        # send a part when the first byte after it arrives: a file of exactly one part is stored in one request
        room = self._part_bytes - self._filled
        while len(data) > room:
            self._add(data[:room])
            await self._send()
            data, room = data[room:], self._part_bytes
        self._add(data)

    async def flush(self) -> list[Part]:
        """Store the remaining bytes as the last part; return all parts once they are durable, none if none was
        begun.
        """
        if self._filled:
            await self._send()
        await self.settle()
        return [self.stored[number] for number in sorted(self.stored)]

    async def hash_rest(self) -> None:
        """Add the remaining bytes to the checksum."""
        await self._hash(self.waiting[self._to_hash :])
        self._to_hash = self._filled
        if self._hashed is not None:
            await self._hashed

    async def settle(self) -> None:
        """Wait for the parts being stored. Raises the error of the first failed one."""
        while self._flying:
            await asyncio.wait(self._flying)
        if self._hashed is not None:
            await self._hashed
        self._raise_failure()

    async def stop(self) -> None:
        """Cancel the parts being stored and wait for their tasks to end."""
        for task in self._flying:
            task.cancel()
        while self._flying:
            await asyncio.wait(self._flying)
        self._pieces.clear()
        self._filled = 0

    def _add(self, data: bytes) -> None:
        last = self._pieces[-1] if self._pieces else b""
        if len(data) >= _SMALL_BYTES:
            self._pieces.append(data)
        elif isinstance(last, bytearray) and len(last) < _SMALL_BYTES:
            last += data
        elif data:
            self._pieces.append(bytearray(data))
        self._filled += len(data)

    async def _send(self) -> None:
        data = self.waiting
        fresh, self._to_hash = data[self._to_hash :] if self._to_hash else data, 0
        self._pieces, self._filled = [], 0
        is_extra = await self._room()
        upload = await self._begin()
        await self._hash(fresh)
        number, self._next = self._next, self._next + 1
        task = asyncio.get_running_loop().create_task(self._put(upload, number, data, is_extra))
        self._flying.add(task)
        task.add_done_callback(self._landed)

    async def _room(self) -> bool:
        """Wait until another part may be stored; return whether it took a slot."""
        while True:
            self._raise_failure()
            if not self._flying:
                return False
            if len(self._flying) < _MOST_IN_FLIGHT and self._slots.take():
                return True
            await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)

    async def _put(self, upload: str, number: int, data: bytes, is_extra: bool) -> None:
        try:
            self.stored[number] = await self._store.put_part(self._key, upload, number, data)
        finally:
            if is_extra:
                self._slots.give()

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _hash(self, data: bytes) -> None:
        """Add ``data`` to the checksum, in a thread if it is large. The thread runs while the next bytes arrive."""
        checksum = self._checksum
        if checksum is None or not data:
            return
        if self._hashed is not None:
            await self._hashed
            self._hashed = None
        if len(data) <= HASHED_HERE_BYTES:
            checksum.update(data)
        else:
            self._hashed = asyncio.get_running_loop().create_task(self._hash_there(checksum, data))

    async def _hash_there(self, checksum: Hash, data: bytes) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, checksum.update, data)


def new_checksum() -> Hash:
    """Return an empty SHA-256."""
    return hashlib.sha256()
