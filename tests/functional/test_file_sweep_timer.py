"""The timer of the sweep of files."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from app.file_sweep import SweepReport
from app.file_sweep_timer import FileSweeper
from app.settings import Settings
from domain.errors import FileStoreUnavailable
from domain.files import staging_key
from support.file_world import HOUR_MS, TYPE
from support.file_world import FilesToSweep as World


@pytest.fixture
def world() -> World:
    return World()


class Nights:
    """``sleep`` of a sweeper: returns at once so many times, then never."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.seconds: list[float] = []
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.left -= 1
        if self.left < 0:
            self.over.set()
            await asyncio.Event().wait()


async def swept_by_timer(world: World, settings: Settings, nights: Nights) -> list[SweepReport]:
    reports: list[SweepReport] = []
    sweeper = FileSweeper(world.records, world.store, settings, lambda: world.now_ms, reports.append, nights)
    running = asyncio.create_task(sweeper.run())
    async with asyncio.timeout(10):
        await nights.over.wait()
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return reports


async def test_the_timer_sweeps_uploads_over_and_over_at_times_that_stray(world: World) -> None:
    await world.upload()
    nights = Nights(3)
    reports = await swept_by_timer(world, Settings(files_sweep_seconds=100.0, files_orphans_hours=0.0), nights)
    assert [report.uploads_swept for report in reports] == [1, 0, 0]
    assert 0 <= nights.seconds[0] <= 100
    assert all(80 <= seconds <= 120 for seconds in nights.seconds[1:])
    assert len(set(nights.seconds)) == len(nights.seconds)


async def test_the_timer_looks_for_orphans_as_often_as_is_set_and_first_within_an_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.store.put(staging_key(str(uuid.uuid4())), b"orphan", TYPE)
    nights = Nights(1)
    monkeypatch.setattr("random.random", lambda: 0.99)
    reports = await swept_by_timer(world, Settings(files_sweep_seconds=0.0, files_orphans_hours=24.0), nights)
    assert [report.objects_swept for report in reports] == [1]
    assert nights.seconds[0] == pytest.approx(0.99 * 3600)
    assert 19 * 3600 <= nights.seconds[1] <= 29 * 3600


@pytest.mark.parametrize("error", [FileStoreUnavailable("away"), RuntimeError("a mistake of ours")], ids=repr)
async def test_a_sweep_that_fails_is_logged_and_tried_again(
    world: World, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    await world.upload()
    discard, errors = world.store.discard, [error]

    async def fails_once(key: str) -> None:
        world.now_ms += HOUR_MS  # the lease is over when it is tried again
        if errors:
            raise errors.pop()
        await discard(key)

    world.store.discard = fails_once  # type: ignore[method-assign]
    settings = Settings(files_sweep_seconds=300.0, files_orphans_hours=0.0)
    reports = await swept_by_timer(world, settings, Nights(3))
    assert [(report.uploads_swept, len(report.failures)) for report in reports] == [(0, 1), (1, 0), (0, 0)]
    assert str(error) in caplog.text


async def test_a_timer_that_is_switched_off_does_nothing_and_does_not_end(world: World) -> None:
    await world.upload()
    sweeper = FileSweeper(
        world.records, world.store, Settings(files_sweep_seconds=0.0, files_orphans_hours=0.0), lambda: world.now_ms
    )
    running = asyncio.create_task(sweeper.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(world.records.rows) == 1
