"""The watchdog ends a worker that has work and gets nowhere, and only such a one; old rows leave the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from app.clock import now_ms
from app.faust.table_retention import Retention
from app.faust.watchdog import Stalled, Watchdog
from support.fakes import FakeApp, FakeTable
from support.waiting import stays, until

SOURCE = TP("messages", 0)


class Consumer:
    def __init__(self) -> None:
        self._committed_offset: dict[TP, int | None] = defaultdict(lambda: None, {SOURCE: 5})
        self.end: int | None = 5

    def assignment(self) -> set[TP]:
        return {SOURCE, TP("x-changelog", 0)}

    def _is_changelog_tp(self, tp: TP) -> bool:
        return tp.topic.endswith("-changelog")

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        if self.end is None:
            raise ConnectionError("the broker is away")
        return dict.fromkeys(tps, self.end)


class WatchedApp(FakeApp):
    """An app with all that the watchdog reads."""

    def __init__(self) -> None:
        super().__init__(watchdog_seconds=0.3)
        self.consumer: Consumer = Consumer()
        self.tables = SimpleNamespace(recovery=SimpleNamespace(active_offsets={}))


@pytest.fixture
async def app() -> AsyncIterator[WatchedApp]:
    app = WatchedApp()
    watchdog = Watchdog(app, pause_seconds=0.02)
    await watchdog.start()
    yield app
    await watchdog.stop()


async def test_lag_without_progress_ends_the_worker(app: WatchedApp) -> None:
    app.consumer.end = 9
    await until(lambda: app.aborted)
    what, error = app.aborted[0]
    assert what == "the watchdog"
    assert isinstance(error, Stalled)
    assert "4 records wait" in str(error)


async def test_a_rebalance_that_does_not_end_ends_the_worker_though_it_holds_no_partition(app: WatchedApp) -> None:
    app.consumer._committed_offset.clear()
    app.consumer.assignment = lambda: set()
    app.rebalancing = True
    await until(lambda: app.aborted)
    assert "a rebalance does not end" in str(app.aborted[0][1])


async def test_a_partition_whose_position_stays_unknown_ends_the_worker(app: WatchedApp) -> None:
    app.consumer._committed_offset[SOURCE] = None
    await until(lambda: app.aborted)
    assert isinstance(app.aborted[0][1], Stalled)


async def goes_on(app: WatchedApp, seconds: float = 0.8) -> None:
    await stays(lambda: not app.aborted, seconds)


async def test_no_lag_is_no_stall(app: WatchedApp) -> None:
    await goes_on(app)


async def test_a_commit_that_moves_is_no_stall(app: WatchedApp) -> None:
    app.consumer.end = 1_000
    for offset in range(6, 14):
        app.consumer._committed_offset[SOURCE] = offset
        await goes_on(app, 0.1)


async def test_a_recovery_that_moves_is_no_stall(app: WatchedApp) -> None:
    app.consumer.end = 1_000
    for offset in range(8):
        app.tables.recovery.active_offsets[TP("x-changelog", 0)] = offset
        await goes_on(app, 0.1)


async def test_a_broker_that_is_away_is_no_stall(app: WatchedApp) -> None:
    app.consumer.end = None
    await goes_on(app)


async def test_a_large_file_that_comes_piece_by_piece_is_no_stall(app: WatchedApp) -> None:
    app.consumer.end = 1_000
    for _ in range(8):
        app.progress += 1
        await goes_on(app, 0.1)


async def test_waiting_for_a_named_dependency_is_no_stall(app: WatchedApp) -> None:
    app.consumer.end = 9
    app.blocked_on = "cassandra"
    await goes_on(app)


class SweptTable(FakeTable):
    name = "table"

    def active_partitions(self) -> list[int]:
        return [0]

    def rows_after(self, partition: int, key: bytes, count: int) -> list[tuple[bytes, bytes]]:
        return sorted(row for row in self.rows.items() if row[0] > key)[:count]


async def test_old_rows_leave_and_young_ones_stay() -> None:
    app: Any = FakeApp(state_retention_hours=1.0)
    app.rebalancing = False
    table = SweptTable(app.batch_producer)
    hour_ms, minute_ms = 3_600_000, 60_000
    young, old = now_ms() - hour_ms + minute_ms, now_ms() - hour_ms - minute_ms
    for n in range(1_300):
        table.rows[b"%04d" % n] = b"%d" % (old if n % 2 else young)
    retention = Retention(app, table, int)  # type: ignore[arg-type]
    await retention._sweep_partition(0)
    assert len(table.rows) == 650
    assert all(int(value) == young for value in table.rows.values())
    tombstones = [value for topic, _, _, value in app.batch_producer.records if topic == table.changelog]
    assert tombstones == [None] * 650


async def test_a_clock_that_is_set_forward_makes_no_row_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = FakeApp(state_retention_hours=1.0)
    app.rebalancing = False
    table = SweptTable(app.batch_producer)
    now = now_ms()
    table.rows = {b"young": b"%d" % now, b"old": b"%d" % (now - 2 * 3600 * 1000)}
    retention = Retention(app, table, int)  # type: ignore[arg-type]
    monkeypatch.setattr("app.faust.table_retention.now_ms", lambda: now + 30 * 86_400_000)
    await retention._sweep_partition(0)
    assert list(table.rows) == [b"young"]
