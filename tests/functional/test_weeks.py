"""Four weeks of a worker on a stepped clock: what it keeps stays as large as its memory is long, and a late receipt
still finds its message.

The tables, the engine, the retention and the fold are the real ones; Kafka, RocksDB and the clock are not.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections import Counter
from typing import Any, cast

import pytest

from agents.track_status import fold_batch
from app.clock import now_ms
from app.faust.table_retention import Retention
from domain.records import ReceiptReported
from domain.status import Status
from support.deliveries import World, request
from support.fakes import FakeTable, batch_of
from support.waiting import until
from tables import attempts, message_state

DAYS, A_DAY, LATE_DAYS = 28, 40, 8
SETTLED_DAY = 18  # a state stays nine days after its last fact, which comes on the eighth: as many leave as come
DAY_MS = 86_400_000
SLACK = 1.05


class Weeks:
    """A channel's worker and the core's fold. ``kept``: by day, what each table and each compacted changelog holds."""

    def __init__(self, clock: list[int]) -> None:
        self._clock = clock
        self.world = World()
        self.states = FakeTable(self.world.producer, "message_state-changelog")
        self.kept: list[Counter[str]] = []
        self._folded = 0

    async def day(self, day: int) -> None:
        names = [f"m-{day * A_DAY + n}" for n in range(A_DAY)]
        values = [request(name, f"c-{n}") for n, name in enumerate(names)]
        await self.world.deliver(batch_of("whatsapp-outbound", *values, start=day * A_DAY))
        await until(self.world.is_done)
        self._clock[0] += 60_000
        for n, name in enumerate(names):
            self._receipt(name, n, Status.DELIVERED)
        if day >= LATE_DAYS:
            for n in range(A_DAY):
                self._receipt(f"m-{(day - LATE_DAYS) * A_DAY + n}", n, Status.READ)
        self._fold()
        self._clock[0] += DAY_MS - 60_000
        await self._sweep()
        self.kept.append(self._sizes())
        self.world.app.consumer.completed.clear()
        self.world.channel.calls.clear()
        self.world.channel.requests.clear()
        self.world.channel.attachments.clear()

    def _receipt(self, name: str, conversation: int, status: Status) -> None:
        provider_id = f"p-{name}-1"
        report = ReceiptReported("default", provider_id, name, str(status), now_ms())
        self.world.receive(report, conversation=f"c-{conversation}")

    def _fold(self) -> None:
        facts = self.world.producer.on("status-updates")[self._folded :]
        self._folded += len(facts)
        app, table = cast(Any, self.world.app), cast(Any, self.states)
        batch = batch_of("status-updates", *facts)
        for record in batch.records:
            record.timestamp = now_ms()
        fold_batch(app, table, batch)

    async def _sweep(self) -> None:
        for table, last_change in (
            (self.world.table, attempts.recorded_at_ms),
            (self.states, lambda value: message_state.load(value).state.last_change_ms),
        ):
            retention = Retention(cast(Any, self.world.app), cast(Any, table), last_change)
            await retention._sweep_partition(2)

    def _sizes(self) -> Counter[str]:
        """Return the rows, and what compaction leaves of the changelogs: the last value of each key."""
        last: dict[tuple[str, bytes | None], bytes | None] = {}
        for topic, _, key, value in self.world.producer.records:
            if topic.endswith("-changelog"):
                last[topic, key] = value
        sizes = Counter(topic for (topic, _), value in last.items() if value is not None)
        sizes["bytes"] = sum(len(key or b"") + len(value) for (_, key), value in last.items() if value is not None)
        sizes["attempts rows"], sizes["queue rows"] = len(self.world.table.rows), len(self.world.queue.rows)
        sizes["message_state rows"] = len(self.states.rows)
        return sizes


async def test_what_is_kept_is_flat_and_late_receipts_find_their_message(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [now_ms()]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0] * 1_000_000)
    weeks = Weeks(clock)
    for day in range(DAYS):
        await weeks.day(day)
    settled, last = weeks.kept[SETTLED_DAY], weeks.kept[-1]
    assert settled["attempts rows"] >= 8 * A_DAY
    for name, size in last.items():
        assert size <= max(SLACK * settled[name], settled[name] + 2), (name, settled[name], size)
    read = [change.message_id for change in weeks.world.changes() if change.status == "READ"]
    assert sorted(read) == sorted(f"m-{n}" for n in range((DAYS - LATE_DAYS) * A_DAY))
    assert weeks.world.letters() == []


@pytest.mark.long
async def test_the_workers_memory_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [now_ms()]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0] * 1_000_000)
    weeks = Weeks(clock)
    sizes = []
    tracemalloc.start()
    try:
        for day in range(DAYS):
            await weeks.day(day)
            weeks.world.producer.records.clear()  # the log is not the worker's memory
            weeks.world.producer.headers.clear()
            weeks._folded = 0
            if day in (SETTLED_DAY, DAYS - 1):
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] <= 1.1 * sizes[0] + 100_000, sizes
