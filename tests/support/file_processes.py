"""Uploaders and sweepers on fakes, which stop, sleep and go on at any point between any two calls.

Each call of the database and of the store waits for its turn, so every interleaving can be played, and a process that
is ended at a turn has died between two calls. Nobody asks a clock whether its lease still stands: only the row decides.
"""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar, cast

from app.file_sweep import Sweep
from domain.errors import Conflict, NotFound
from domain.file_sweeping import OWNER_KEY, keys_of
from domain.files import File, FileMetadata, incomplete_part_key, staging_key, storage_key
from domain.ports import FileRecords, FileStore, Part, Upload
from fakes.file_records import MemoryFileRecords
from fakes.file_store import SMALL_PART, MemoryFileStore

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LEASE_MS = 30_000
KINDS = ("plain", "staged", "resumable")
TYPE = "text/plain"
_MOST_CYCLES = 10_000
FULL = b"f" * SMALL_PART
REST = b"the rest"

T = TypeVar("T")


class TurnQueue:
    """Those who wait for their turn, of one process."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def mine(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        await turn

    async def give(self) -> bool:
        """Let the first one go on, as far as it goes. Return ``False`` if nobody waits."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                await settle()
                return True
        return False


class Gated:
    """``target``, each of whose calls waits for its turn first."""

    def __init__(self, target: object, turns: TurnQueue) -> None:
        self._target = target
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if not callable(method):
            return method

        async def call(*args: object, **options: object) -> Any:
            await self._turns.mine()
            return await method(*args, **options)

        async def each(*args: object, **options: object) -> AsyncIterator[Any]:
            await self._turns.mine()
            async for one in method(*args, **options):
                yield one

        return each if inspect.isasyncgenfunction(method) else call


def gated(target: T, turns: TurnQueue) -> T:
    """Return ``target`` behind a gate: each call waits for its turn."""
    return cast(T, Gated(target, turns))


class Process:
    """Something that runs, one turn at a time."""

    def __init__(self, work: Callable[[TurnQueue], Coroutine[Any, Any, None]]) -> None:
        self.turns = TurnQueue()
        self.task = asyncio.create_task(work(self.turns))

    @property
    def ended(self) -> bool:
        return self.task.done()

    async def step(self, turns: int = 1) -> None:
        """Let it make so many calls, or as many as it makes."""
        for _ in range(turns):
            if self.ended or not await self.turns.give():
                return

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def settle() -> None:
    """Return when every task waits: for its turn, or for something else than another task."""
    ready: deque[asyncio.Handle] = vars(asyncio.get_running_loop())["_ready"]
    for _ in range(_MOST_CYCLES):
        await asyncio.sleep(0)
        if not ready:
            return
    raise TimeoutError(f"a task still runs after {_MOST_CYCLES:,} cycles of the event loop")


class FileWorld:
    """The two fakes, a clock, the processes, and what was promised: who was told that a file is whole finds it so."""

    def __init__(self) -> None:
        self.records, self.store = MemoryFileRecords(), MemoryFileStore()
        self.now_ms = time.time_ns() // 1_000_000
        self.processes: list[Process] = []
        self.promised: dict[str, int] = {}

    async def start(self, work: Callable[[TurnQueue], Coroutine[Any, Any, None]]) -> Process:
        process = Process(work)
        self.processes.append(process)
        await settle()
        return process

    def uploads(self) -> list[Upload]:
        return [row for row in self.records.rows.values() if isinstance(row, Upload)]

    def check(self) -> None:
        """Every file that was promised, and every file there is, has its whole object."""
        for row in self.records.rows.values():
            if isinstance(row, File):
                self.promised.setdefault(row.file_id, row.metadata.size_bytes)
        for file_id, size_bytes in self.promised.items():
            row = self.records.rows[file_id]
            assert isinstance(row, File)
            assert len(self.store.objects[row.metadata.storage_path][0]) == size_bytes

    async def end(self) -> None:
        """All processes die; after a last sweep there is nothing but whole files."""
        for process in self.processes:
            await process.kill()
        self.now_ms += 3 * DAY_MS
        sweep = Sweep(self.records, self.store, lambda: self.now_ms, grace_ms=DAY_MS, believing=True)
        await sweep.uploads()
        await sweep.orphans()
        assert sweep.report.failures == []
        self.check()
        assert set(self.records.rows) == set(self.promised)
        paths = {row.metadata.storage_path for row in self.records.rows.values() if isinstance(row, File)}
        assert set(self.store.objects) == paths | {OWNER_KEY}
        assert self.store.uploads == {}

    async def sweep(self, turns: TurnQueue) -> None:
        records, store = gated(self.records, turns), gated(self.store, turns)
        sweep = Sweep(records, store, lambda: self.now_ms, grace_ms=DAY_MS, believing=True)
        await sweep.uploads()
        await sweep.orphans()
        assert sweep.report.failures == []

    async def upload(self, turns: TurnQueue, count: int, kind: str, expiry_ms: int) -> None:
        """One request that brings a file: all of it, or as much as it can before it lets go."""
        file_id, holder = str(uuid.uuid4()), f"api-{uuid.uuid4()}"
        records, store = gated(self.records, turns), gated(self.store, turns)
        final = storage_key("family", file_id, "a.txt")
        row = Upload(
            file_id,
            "family",
            "u-1",
            "a.txt",
            None,
            self.now_ms,
            self.now_ms + expiry_ms,
            key=staging_key(file_id) if kind == "staged" else final,
            holder=holder,
            held_until_ms=self.now_ms + LEASE_MS,
        )
        await records.begin(row)
        name = await store.begin(row.key, TYPE)
        row = replace(row, store_upload=name)
        if not await records.save(row, holder=holder):
            return
        for number in range(1, count):
            try:
                await store.put_part(row.key, name, number, FULL)
            except NotFound:
                return
            row = replace(row, offset_bytes=number * SMALL_PART, held_until_ms=self.now_ms + LEASE_MS)
            if not await records.save(row, holder=holder):
                return
        if kind == "resumable":
            await store.put(incomplete_part_key(file_id, row.offset_bytes + 3), REST[:3], TYPE)
            row = replace(row, offset_bytes=row.offset_bytes + 3, expires_at_ms=self.now_ms + DAY_MS, holder="")
            await records.save(row, holder=holder)
            return
        await self.complete(records, store, row, holder)

    async def resume(self, turns: TurnQueue, upload_id: str) -> None:
        """Another request, which brings the rest of an upload. It is wary of what is in the store, not of time."""
        holder = f"api-{uuid.uuid4()}"
        records, store = gated(self.records, turns), gated(self.store, turns)
        row = await records.acquire_lease(upload_id, holder, self.now_ms, self.now_ms + LEASE_MS)
        if row is None:
            return
        if not row.store_upload:  # this may be the second one of the key
            row = replace(row, store_upload=await store.begin(row.key, TYPE), offset_bytes=0)
            if not await records.save(row, holder=holder):
                return
        await self.complete(records, store, row, holder)

    async def terminate(self, turns: TurnQueue, upload_id: str) -> None:
        """A request to delete an upload that others may go on with: first of all it expires."""
        holder = f"api-{uuid.uuid4()}"
        records, store = gated(self.records, turns), gated(self.store, turns)
        row = await records.acquire_lease(upload_id, holder, self.now_ms, self.now_ms + LEASE_MS)
        if row is None or not await records.save(replace(row, expires_at_ms=self.now_ms), holder=holder):
            return
        for key in keys_of(row, store.part_bytes):
            await store.discard(key)
        await records.forget(upload_id, holder=holder)

    async def complete(self, records: FileRecords, store: FileStore, row: Upload, holder: str) -> None:
        try:
            parts = [part for part in await store.parts(row.key, row.store_upload) if part.size_bytes == SMALL_PART]
            last: Part = await store.put_part(row.key, row.store_upload, len(parts) + 1, REST)
            await store.finish(row.key, row.store_upload, [*parts, last])
            final = storage_key("family", row.upload_id, "a.txt")
            if row.key != final:
                await store.move(row.key, final)
        except (NotFound, Conflict):
            return
        size_bytes = sum(part.size_bytes for part in parts) + len(REST)
        file = File(
            row.upload_id, "family", "u-1", FileMetadata("a.txt", size_bytes, TYPE, "sha256:x", final), self.now_ms
        )
        if await records.finish(file, holder=holder):
            self.promised[row.upload_id] = size_bytes
            await store.discard(incomplete_part_key(row.upload_id, row.offset_bytes))
