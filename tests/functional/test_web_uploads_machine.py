"""Resumable uploads by processes that sleep and die between any two calls: what counts is durable, the whole is right.

Every call of the database and of the store, and every read of a body, waits for its turn (``support.file_processes``).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from app.file_sweep import Sweep
from domain.errors import Chat4AllError
from domain.file_sweeping import OWNER_KEY
from domain.files import File, incomplete_part_key
from domain.ports import Upload
from fakes.file_records import MemoryFileRecords
from fakes.file_store import SMALL_PART, MemoryFileStore
from support.api import Api
from support.examples import examples
from support.file_processes import DAY_MS, TurnQueue, gated, settle
from support.uploads import some_bytes
from web.bootstrap.services import Services
from web.errors import MalformedBody
from web.uploads.hashing import WantedDigest
from web.uploads.tus import Creation

LEASE_MS = 30_000
USER = "u-1"
SIZES = [
    0,
    1,
    100,
    SMALL_PART - 1,
    SMALL_PART,
    SMALL_PART + 1,
    2 * SMALL_PART,
    2 * SMALL_PART + 77,
]
DATA = some_bytes(max(SIZES))
STEPS = [
    1,
    2,
    99,
    1_000,
    SMALL_PART - 1_000,
    SMALL_PART - 1,
    SMALL_PART,
    SMALL_PART + 1,
    3 * SMALL_PART,
]
MANY = 80  # more turns than any request has
TURNS = st.one_of(st.integers(1, 9), st.just(MANY))


class Killed(BaseException):
    """The process is no more."""


class MortalTurnQueue(TurnQueue):
    """TurnQueue that end."""

    is_dead = False

    async def mine(self) -> None:
        if self.is_dead:
            raise Killed
        await super().mine()

    def kill(self) -> None:
        self.is_dead = True
        for turn in self.waiting:
            if not turn.done():
                turn.set_exception(Killed())


class Inline(Executor):
    """Threads that take no time."""

    def submit(self, work: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*args, **kwargs))
        return future


class ScriptedBody:
    """The body of a request: pieces, each when it is its turn, and then an end or a break."""

    def __init__(self, turns: TurnQueue, data: bytes, *, breaks: bool) -> None:
        self.length = None if breaks else len(data)
        self._turns, self._data, self._breaks = turns, data, breaks
        self._stopped: Chat4AllError | None = None

    def abort(self, error: Chat4AllError) -> None:
        self._stopped = error

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), SMALL_PART // 2 + 1):
            await self._turns.mine()
            if self._stopped is not None:
                raise self._stopped
            yield self._data[start : start + SMALL_PART // 2 + 1]
        if self._breaks:
            raise MalformedBody("the body broke off")


class Process:
    """An API: its memory, and the requests that it has."""

    def __init__(self, services: Services, turns: MortalTurnQueue) -> None:
        self.services, self.turns = services, turns
        self.requests: set[asyncio.Task[Any]] = set()

    async def step(self, turns: int) -> None:
        await settle()
        for _ in range(turns):
            if not await self.turns.give():
                return


class Uploads(RuleBasedStateMachine):
    """One upload, two processes, and a client that has several requests under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.records, self.store = MemoryFileRecords(), MemoryFileStore()
        self.is_bad_under_way = False

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(size=st.sampled_from(SIZES), is_checked=st.booleans())
    def begin(self, size: int, is_checked: bool) -> None:
        self.data, self.first_api = DATA[:size], Api()
        self.processes = [self.process(), self.process()]
        checksum = f"sha256:{hashlib.sha256(self.data).hexdigest()}" if is_checked else ""
        creation = Creation(size, "c-1", "a.bin", checksum)
        known = self.request(0, lambda services: services.uploads.resumable.create(USER, creation, None, None))
        self.run(self.processes[0].step(MANY))
        made = known.result()
        self.upload_id = made.file_id if isinstance(made, File) else made.upload_id

    def process(self) -> Process:
        api, turns = Api().beside(self.first_api), MortalTurnQueue()
        api.files, api.file_store = gated(self.records, turns), gated(self.store, turns)
        api._make()
        object.__setattr__(api.services.upload_context, "threads", Inline())  # frozen for the product, not for a test
        return Process(api.services, turns)

    def request(self, number: int, work: Callable[[Services], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        process = self.processes[number]

        async def asked() -> Any:
            try:
                return await work(process.services)
            except (Chat4AllError, Killed) as error:
                return error

        task = self.loop.create_task(asked())
        process.requests.add(task)
        self.run(settle())
        return task

    @property
    def row(self) -> Upload | File:
        return self.records.rows[self.upload_id]

    @property
    def offset(self) -> int:
        return self.row.offset_bytes if isinstance(self.row, Upload) else len(self.data)

    @rule(
        number=st.integers(0, 1),
        step=st.sampled_from(STEPS),
        breaks=st.booleans(),
        turns=TURNS,
        digest=st.sampled_from(["none", "none", "right", "wrong"]),
        by=st.sampled_from([0, 0, 0, -1, 1]),
    )
    def send(self, number: int, step: int, breaks: bool, turns: int, digest: str, by: int) -> None:
        start = max(0, self.offset + by)
        piece, wanted = self.data[start : start + step], None
        if digest != "none":
            wanted = WantedDigest("sha256", hashlib.sha256(piece).digest())
            if digest == "wrong":
                piece = bytes(len(piece)) or b""
        self.is_bad_under_way |= digest == "wrong"

        def work(services: Services) -> Coroutine[Any, Any, Any]:
            body: Any = ScriptedBody(self.processes[number].turns, piece, breaks=breaks)
            return services.uploads.resumable.append(USER, self.upload_id, start, body, wanted)

        self.request(number, work)
        self.run(self.processes[number].step(turns))

    @rule(number=st.integers(0, 1), turns=TURNS)
    def look(self, number: int, turns: int) -> None:
        self.request(number, lambda services: services.uploads.resumable.look(USER, self.upload_id))
        self.run(self.processes[number].step(turns))

    @rule(number=st.integers(0, 1), turns=TURNS)
    def go_on(self, number: int, turns: int) -> None:
        self.run(self.processes[number].step(turns))

    @rule(number=st.integers(0, 1))
    def kill(self, number: int) -> None:
        self.run(self.crash(number))
        self.processes[number] = self.process()

    async def crash(self, number: int) -> None:
        process = self.processes[number]
        process.turns.kill()
        await asyncio.wait_for(asyncio.gather(*process.requests), 20)

    # a part that is wrong, and on its way while its process sleeps past its lease, may land when the right one is there
    @precondition(lambda self: not self.is_bad_under_way or not any(p.turns.waiting for p in self.processes))
    @rule()
    def sleep_past_the_hold(self) -> None:
        self.is_bad_under_way = False
        self.first_api.clock.now_ms += LEASE_MS

    @invariant()
    def what_counts_is_durable(self) -> None:
        if not hasattr(self, "upload_id"):
            return
        row, objects = self.row, self.store.objects
        if isinstance(row, File):
            assert objects[row.metadata.storage_path][0] == self.data
            assert row.metadata.checksum == f"sha256:{hashlib.sha256(self.data).hexdigest()}"
            assert row.metadata.mimetype == (
                "text/plain" if self.data[:1].isascii() and len(self.data) == 1 else "application/octet-stream"
            )
            return
        count, rest = divmod(row.offset_bytes, SMALL_PART)
        if row.offset_bytes == len(self.data) and row.key in objects:
            assert objects[row.key][0] == self.data
            return
        for number in range(1, count + 1):
            known = self.store.uploads[row.store_upload].parts[number][1]
            assert known == self.data[(number - 1) * SMALL_PART : number * SMALL_PART]
        if rest and row.offset_bytes < len(self.data):
            incomplete_part = objects[incomplete_part_key(self.upload_id, row.offset_bytes)][0]
            assert incomplete_part == self.data[row.offset_bytes - rest : row.offset_bytes]

    def teardown(self) -> None:
        try:
            if hasattr(self, "upload_id"):
                self.run(self.end())
        finally:
            self.loop.close()

    async def end(self) -> None:
        """Whatever happened, the client gets its file there in the end, and after a sweep there is nothing else."""
        for number in (0, 1):
            await self.crash(number)
        clock = self.first_api.clock
        clock.now_ms += LEASE_MS
        for _ in range(3):
            process = self.process()
            looking = asyncio.create_task(process.services.uploads.resumable.look(USER, self.upload_id))
            await process.step(MANY)
            known = looking.result()
            if isinstance(known, File):
                break
            body: Any = ScriptedBody(process.turns, self.data[known.offset_bytes :], breaks=False)
            work = process.services.uploads.resumable.append(USER, self.upload_id, known.offset_bytes, body, None)
            sending = asyncio.create_task(work)
            await process.step(MANY)
            sending.result()
        assert isinstance(self.row, File)
        self.what_counts_is_durable()
        now_ms = max(since for _, since in self.store.objects.values()) + 2 * DAY_MS
        sweep = Sweep(self.records, self.store, lambda: now_ms, grace_ms=0, believing=True)
        await sweep.orphans()
        assert sweep.report.failures == []
        assert set(self.store.objects) == {self.row.metadata.storage_path, OWNER_KEY}
        assert not self.store.uploads


@pytest.mark.timeout(170)
def test_whoever_dies_or_sleeps_what_counts_is_durable_and_the_whole_is_right() -> None:
    # not made smaller: each try takes too long for that
    phases = [Phase.reuse, Phase.generate]
    run_machine(Uploads, settings=settings(max_examples=examples(120), stateful_step_count=30, phases=phases))


@pytest.mark.parametrize("breaks", [True, False])
@pytest.mark.parametrize("step", [SMALL_PART + 1_000, 3 * SMALL_PART])
def test_wherever_one_falls_asleep_it_undoes_nothing_of_who_takes_over(step: int, breaks: bool) -> None:
    for turns in range(1, 16):
        played = Uploads()
        played.begin(size=max(SIZES), is_checked=False)
        played.send(number=0, step=2 * SMALL_PART + 50, breaks=breaks, turns=turns, digest="none", by=0)
        played.sleep_past_the_hold()
        played.send(number=1, step=step, breaks=False, turns=MANY, digest="none", by=0)
        played.what_counts_is_durable()
        played.go_on(number=0, turns=MANY)
        played.what_counts_is_durable()
        played.teardown()
