"""A worker's metrics. ``GET /metrics`` on its port shows them; every name begins with ``chat4all_``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aioprometheus import Counter, Gauge, Registry, render

if TYPE_CHECKING:
    from faust.types import TP

    from app.faust.batches import RecordBatch


class Metrics:
    """The worker's metrics, on one screen. Calls are made once a batch, not once a record."""

    def __init__(self, role: str) -> None:
        self.registry = Registry()
        self._role = role
        label = {"role": role}
        make: dict[str, Any] = {"const_labels": label, "registry": self.registry}
        self._events = Counter("chat4all_events_total", "Records whose effects are durable, by agent", **make)
        self._sent = Counter("chat4all_messages_sent_total", "Deliveries by outcome, each once", **make)
        self._carried = Counter("chat4all_files_carried_total", "Files sent to a channel, by what they went as", **make)
        self._dead = Counter("chat4all_dead_letters_total", "Records that could not be processed, by reason", **make)
        self._impossible = Counter("chat4all_impossible_times_total", "Times that cannot be, and were set", **make)
        self._lost = Counter("chat4all_records_removed_unread_total", "Records that retention removed unread", **make)
        self._lag = Gauge("chat4all_lag_records", "Records not yet committed, by topic and partition", **make)
        self._mirror_delay = Gauge("chat4all_mirror_delay_seconds", "Age of the newest mirrored record", **make)
        self._in_flight = Gauge("chat4all_in_flight", "Deliveries in hand", **make)
        self._count_in_flight: Callable[[], int] | None = None

    def completed(self, agent: str, batch: RecordBatch) -> None:
        self._events.add({"agent": agent}, len(batch.records))

    def sent(self, channel: str, status: str, count: int = 1) -> None:
        self._sent.add({"channel": channel, "status": status}, count)

    def carried(self, channel: str, kind: str) -> None:
        self._carried.inc({"channel": channel, "as": kind})

    def dead_letter(self, topic: str, reason: str) -> None:
        self._dead.inc({"topic": topic, "reason": reason})

    def removed_unread(self, topic: str, count: int) -> None:
        self._lost.add({"topic": topic}, count)

    def impossible_time(self) -> None:
        self._impossible.inc({})

    def lags(self, records: Mapping[TP, int]) -> None:
        """Show exactly these partitions: those held by this worker with a known position."""
        self._lag.values.clear()
        for tp, count in records.items():
            self._lag.set({"topic": tp.topic, "partition": str(tp.partition)}, max(0, count))

    def mirror_delay(self, seconds: float) -> None:
        self._mirror_delay.set({}, seconds)

    def watch_in_flight(self, count: Callable[[], int]) -> None:
        """Show the result of ``count`` at each scrape."""
        self._count_in_flight = count

    def render(self, accept: list[str]) -> tuple[bytes, dict[str, str]]:
        """Return the exposition and its headers."""
        if self._count_in_flight is not None:
            self._in_flight.set({}, self._count_in_flight())
        body, headers = render(self.registry, accept)
        return body, dict(headers)
