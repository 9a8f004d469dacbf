"""A worker's metrics. ``GET /metrics`` on its port shows them; names begin with ``chat4all_`` or ``process_``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aioprometheus import Counter, Gauge, Registry, render

from app.process_readings import PROCESS_READINGS

if TYPE_CHECKING:
    from faust.types import TP

    from app.faust.batches import RecordBatch
    from domain.records import AccountReport

MOST_LABEL_SETS = 500  # of one metric: what comes after is counted as OTHER
OTHER = "other"


class Metrics:
    """The worker's metrics, on one screen."""

    def __init__(self, role: str) -> None:
        self.registry = Registry()
        self._role = role
        label = {"role": role}
        make: dict[str, Any] = {"const_labels": label, "registry": self.registry}
        self._events = Counter("chat4all_events_total", "Records whose effects are durable, by agent", **make)
        self._sent = _Counts("messages_sent_total", "Deliveries by outcome, each once", make, "channel", "status")
        self._attempts = _Counts(
            "attempts_total", "Answers of the channel, by outcome", make, "channel", "account", "outcome"
        )
        self._overtaken = _Counts("overtaken_total", "Messages that others overtook", make, "channel", "account")
        self._carried = Counter("chat4all_files_carried_total", "Files sent to a channel, by what they went as", **make)
        self._passed_over = _Counts("mirror_passed_over_total", "Records not mirrored", make, "topic")
        self._dead = _Counts("dead_letters_total", "Records that could not be processed", make, "topic", "reason")
        self._elements = _Counts(
            "webhook_elements_total", "Elements of webhooks by outcome", make, "channel", "outcome"
        )
        self._impossible = Counter("chat4all_impossible_times_total", "Times that cannot be, and were set", **make)
        self._lost = Counter("chat4all_records_removed_unread_total", "Records that retention removed unread", **make)
        self._lag = Gauge("chat4all_lag_records", "Records not yet committed, by topic and partition", **make)
        self._mirror_delay = Gauge("chat4all_mirror_delay_seconds", "Age of the newest mirrored record", **make)
        self._in_flight = Gauge("chat4all_in_flight", "Deliveries in hand", **make)
        self._accounts = _AccountGauges(make)
        self._process = {
            name: (Counter if name.endswith("_total") else Gauge)(name, doc, **make)
            for name, (doc, _) in PROCESS_READINGS.items()
        }
        self._count_in_flight: Callable[[], int] | None = None
        self._reports: Callable[[], Iterable[AccountReport]] | None = None

    def completed(self, agent: str, batch: RecordBatch) -> None:
        self._events.add({"agent": agent}, len(batch.records))

    def sent(self, channel: str, status: str, count: int = 1) -> None:
        self._sent.add((channel, status), count)

    def attempted(self, channel: str, account: str, outcome: str) -> None:
        """``outcome``: a word of a fixed list."""
        self._attempts.add((channel, account, outcome))

    def overtaken(self, channel: str, account: str) -> None:
        self._overtaken.add((channel, account))

    def carried(self, channel: str, kind: str) -> None:
        self._carried.inc({"channel": channel, "as": kind})

    def dead_letter(self, topic: str, reason: str) -> None:
        self._dead.add((topic, reason))

    def webhook_element(self, channel: str, outcome: str, count: int = 1) -> None:
        """``outcome``: a member of ``domain.inbound.ElementOutcome``."""
        self._elements.add((channel, outcome), count)

    def passed_over(self, topic: str) -> None:
        """Count a record that the mirror cannot write."""
        self._passed_over.add((topic,))

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

    def watch_accounts(self, reports: Callable[[], Iterable[AccountReport]]) -> None:
        """Show the accounts of this worker at each scrape, as ``reports`` tells of them."""
        self._reports = reports

    def render(self, accept: list[str]) -> tuple[bytes, dict[str, str]]:
        """Return the exposition and its headers."""
        if self._count_in_flight is not None:
            self._in_flight.set({}, self._count_in_flight())
        if self._reports is not None:
            self._accounts.show(self._reports())
        for name, collector in self._process.items():
            collector.set({}, PROCESS_READINGS[name][1]())
        for counts in (self._sent, self._attempts, self._overtaken, self._dead, self._elements, self._passed_over):
            counts.show()
        body, headers = render(self.registry, accept)
        return body, dict(headers)


class _Counts:
    """A counter that is cheap to add to, with at most ``MOST_LABEL_SETS`` sets of labels.

    aioprometheus checks each label at each addition, which cost a tenth of a busy worker's time.
    """

    def __init__(self, name: str, doc: str, make: Mapping[str, Any], *labels: str) -> None:
        self._counter = Counter(f"chat4all_{name}", doc, **make)
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, values: tuple[str, ...], count: int = 1) -> None:
        counts = self._counts
        if values not in counts and len(counts) >= MOST_LABEL_SETS:
            values = (OTHER,) * len(self._labels)
        counts[values] = counts.get(values, 0) + count

    def show(self) -> None:
        """Bring the counter up to date."""
        for values, count in self._counts.items():
            self._counter.set(dict(zip(self._labels, values, strict=True)), count)


class _AccountGauges:
    """The accounts of a channel in this worker: each shown account has a bounded number of sets of labels."""

    def __init__(self, make: Mapping[str, Any]) -> None:
        self._waiting = Gauge("chat4all_queue_depth", "Deliveries in the queue that wait", **make)
        self._heads = Gauge("chat4all_waiting_heads", "Chains in memory that wait, by reason", **make)
        self._in_flight = Gauge("chat4all_account_in_flight", "Calls to the channel", **make)
        self._breaker = Gauge("chat4all_breaker", "1 for the state of the account's breaker", **make)
        self._allowance = Gauge("chat4all_allowance_per_second", "Messages a second; 0: no limit", **make)
        self._paused = Gauge("chat4all_account_paused", "Partitions on which the account is paused", **make)

    def show(self, reports: Iterable[AccountReport]) -> None:
        """Show exactly the accounts of ``reports``, each over all its partitions."""
        for gauge in (self._waiting, self._heads, self._in_flight, self._breaker, self._allowance, self._paused):
            gauge.values.clear()
        by_account: dict[str, list[AccountReport]] = {}
        for report in reports:
            name = report.account if report.account in by_account or len(by_account) < MOST_LABEL_SETS else OTHER
            by_account.setdefault(name, []).append(report)
        for name, of_account in by_account.items():
            label = {"account": name}
            self._waiting.set(label, sum(each.waiting for each in of_account))
            self._in_flight.set(label, sum(each.in_flight for each in of_account))
            self._allowance.set(label, round(sum(each.per_second for each in of_account), 3))
            self._paused.set(label, sum(each.paused for each in of_account))
            self._breaker.set({**label, "state": of_account[0].breaker}, 1)
            reasons: dict[str, int] = {}
            for each in of_account:
                for reason, count in each.waiting_by.items():
                    reasons[reason] = reasons.get(reason, 0) + count
            for reason, count in reasons.items():
                self._heads.set({**label, "reason": reason}, count)
