"""Uploaders and sweepers that die, sleep and go on at any point: no file is ever lost, and nothing else is left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support.examples import examples
from support.file_processes import DAY_MS, HOUR_MS, KINDS, LEASE_MS, FileWorld

_MOST_PROCESSES = 4
_MOST_TURNS = 60  # more than any process has


class Files(RuleBasedStateMachine):
    """Any number of them, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = FileWorld()

    def teardown(self) -> None:
        try:
            self.run(self.world.end())
        finally:
            self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(work)

    @initialize(kind=st.sampled_from(KINDS), turns=st.integers(0, 12))
    def begin_with_an_upload(self, kind: str, turns: int) -> None:
        self.start_an_upload(2, kind, LEASE_MS)
        self.run(self.world.processes[0].step(turns))

    @precondition(lambda self: len(self.world.processes) < _MOST_PROCESSES)
    @rule(parts=st.integers(1, 2), kind=st.sampled_from(KINDS), expiry_ms=st.sampled_from([LEASE_MS, DAY_MS]))
    def start_an_upload(self, parts: int, kind: str, expiry_ms: int) -> None:
        self.run(self.world.start(lambda turns: self.world.upload(turns, parts, kind, expiry_ms)))

    @precondition(lambda self: len(self.world.processes) < _MOST_PROCESSES and self.world.uploads())
    @rule(data=st.data())
    def start_to_resume_an_upload(self, data: st.DataObject) -> None:
        upload_id = data.draw(st.sampled_from([upload.upload_id for upload in self.world.uploads()]))
        self.run(self.world.start(lambda turns: self.world.resume(turns, upload_id)))

    @precondition(lambda self: len(self.world.processes) < _MOST_PROCESSES and self.world.uploads())
    @rule(data=st.data(), turns=st.integers(0, 6))
    def start_to_terminate_an_upload(self, data: st.DataObject, turns: int) -> None:
        upload_id = data.draw(st.sampled_from([upload.upload_id for upload in self.world.uploads()]))
        self.run(self.world.start(lambda turns: self.world.terminate(turns, upload_id)))
        self.run(self.world.processes[-1].step(turns))

    @precondition(lambda self: len(self.world.processes) < _MOST_PROCESSES)
    @rule(turns=st.integers(0, 12))
    def start_a_sweep(self, turns: int) -> None:
        self.run(self.world.start(self.world.sweep))
        self.run(self.world.processes[-1].step(turns))

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data(), turns=st.one_of(st.integers(1, 6), st.just(_MOST_TURNS)))
    def let_one_go_on(self, data: st.DataObject, turns: int) -> None:
        process = data.draw(st.sampled_from(self.world.processes))
        self.run(process.step(turns))
        if process.ended:
            self.world.processes.remove(process)
            process.task.result()

    @precondition(lambda self: len(self.world.processes) > 1)
    @rule(data=st.data())
    def kill_one(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.world.processes))
        self.world.processes.remove(process)
        self.run(process.kill())

    @rule(passed_ms=st.sampled_from([1_000, 3 * LEASE_MS, 10 * LEASE_MS, HOUR_MS, DAY_MS + HOUR_MS]))
    def let_time_pass(self, passed_ms: int) -> None:
        self.world.now_ms += passed_ms

    @invariant()
    def every_file_that_was_promised_is_whole(self) -> None:
        self.world.check()


@pytest.mark.timeout(170)
def test_whatever_dies_or_sleeps_no_file_is_lost_and_nothing_else_is_left() -> None:
    run_state_machine_as_test(Files, settings=settings(max_examples=examples(200), stateful_step_count=40))


async def played(kind: str, before: int, sweeper: int, *, resumed: bool) -> bool:
    """An uploader sleeps after so many turns, past its lease and expiry; a sweeper has so many turns and sleeps past
    its own lease; (another resumes the upload;) the uploader goes on to its end, then the sweeper does.

    Return whether both had turns left when they fell asleep.
    """
    world = FileWorld()
    uploader = await world.start(lambda turns: world.upload(turns, 2, kind, LEASE_MS))
    await uploader.step(before)
    if kind == "resumable" and uploader.ended:
        upload_id = next(iter(world.records.rows))
        uploader = await world.start(lambda turns: world.resume(turns, upload_id))
        await uploader.step(before - 8)
    slept = not uploader.ended
    world.now_ms += 2 * DAY_MS
    sweep = await world.start(world.sweep)
    await sweep.step(sweeper)
    slept = slept and not sweep.ended
    world.now_ms += HOUR_MS
    for upload in world.uploads() if resumed else ():
        resumer = await world.start(lambda turns, one=upload: world.resume(turns, one.upload_id))
        await resumer.step(_MOST_TURNS)
        world.check()
    await uploader.step(_MOST_TURNS)
    world.check()
    await sweep.step(_MOST_TURNS)
    world.check()
    for process in world.processes:
        if process.ended:
            process.task.result()
    await world.end()
    return slept


@pytest.mark.parametrize("resumed", [False, True], ids=["", "resumed"])
@pytest.mark.parametrize("kind", KINDS)
async def test_wherever_an_uploader_and_a_sweeper_fall_asleep_no_file_is_lost_and_nothing_is_left(
    kind: str, resumed: bool
) -> None:
    slept = [await played(kind, before, sweeper, resumed=resumed) for before in range(18) for sweeper in range(30)]
    assert sum(slept) > 50


@pytest.mark.parametrize("kind", ["plain", "resumable"])
async def test_wherever_an_uploader_falls_asleep_another_brings_the_file_to_its_end_and_nothing_else_is_left(
    kind: str,
) -> None:
    promised = 0
    for before in range(1, 14):
        world = FileWorld()
        uploader = await world.start(lambda turns, world=world: world.upload(turns, 2, kind, DAY_MS))  # type: ignore[misc]
        await uploader.step(before)
        world.now_ms += HOUR_MS
        for upload in world.uploads():
            resumer = await world.start(lambda turns, world=world, one=upload: world.resume(turns, one.upload_id))  # type: ignore[misc]
            await resumer.step(_MOST_TURNS)
        world.check()
        await uploader.step(_MOST_TURNS)
        promised += len(world.promised)
        await world.end()
    assert promised >= 12  # one that is whole in the store already is not finished by the other: it is swept


async def test_wherever_who_deletes_an_upload_falls_asleep_no_file_that_another_makes_of_it_is_lost() -> None:
    for before in range(1, 8):
        world = FileWorld()
        uploader = await world.start(lambda turns, world=world: world.upload(turns, 2, "resumable", DAY_MS))  # type: ignore[misc]
        await uploader.step(_MOST_TURNS)
        upload_id = world.uploads()[0].upload_id
        deleter = await world.start(lambda turns, world=world, one=upload_id: world.terminate(turns, one))  # type: ignore[misc]
        await deleter.step(before)
        world.now_ms += HOUR_MS
        resumer = await world.start(lambda turns, world=world, one=upload_id: world.resume(turns, one))  # type: ignore[misc]
        await resumer.step(_MOST_TURNS)
        await deleter.step(_MOST_TURNS)
        world.check()
        await world.end()
