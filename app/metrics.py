"""A worker's metrics. ``GET /metrics`` on its port shows them; names begin with ``chat4all_`` or ``process_``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from aioprometheus import Counter, Gauge, Registry, render

from app.clock import now_ms
from app.histograms import DELIVERY_BOUNDS, MOST_LABEL_SETS, OTHER, Durations
from app.process_readings import PROCESS_READINGS, free_ratio

if TYPE_CHECKING:
    from pathlib import Path

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP

    from domain.records import AccountReport


class Metrics:
    """The worker's metrics, on one screen."""

    def __init__(self, role: str) -> None:
        self.registry = Registry()
        self._role = role
        label = {"role": role}
        make: dict[str, Any] = {"const_labels": label, "registry": self.registry}
        self._events = _Counts("events_total", "Records whose effects are durable, by agent", make, "agent")
        self._sent = _Counts("messages_sent_total", "Deliveries by outcome, each once", make, "channel", "status")
        self._attempts = _Counts(
            "attempts_total", "Answers of the channel, by outcome", make, "channel", "account", "outcome"
        )
        self._overtaken = _Counts("overtaken_total", "Messages that others overtook", make, "channel", "account")
        self._carried = _Counts(
            "files_carried_total", "Files sent to a channel, by what they went as", make, "channel", "as"
        )
        self._passed_over = _Counts("mirror_passed_over_total", "Records not mirrored", make, "topic")
        self._dead = _Counts("dead_letters_total", "Records that could not be processed", make, "topic", "reason")
        self._elements = _Counts(
            "webhook_elements_total", "Elements of webhooks by outcome", make, "channel", "outcome"
        )
        self._impossible = Counter("chat4all_impossible_times_total", "Times that cannot be, and were set", **make)
        self._lost = _Counts("records_removed_unread_total", "Records that retention removed unread", make, "topic")
        self._lag = Gauge("chat4all_lag_records", "Records not yet committed, by topic and partition", **make)
        self._mirror_delay = Gauge(
            "chat4all_mirror_delay_seconds", "Age of the newest mirrored record while others wait, else 0", **make
        )
        self._rebalances = _Counts("rebalances_total", "Rebalances of the role's group", make)
        self._table_rows = Gauge("chat4all_table_rows", "Rows of a table on this worker, as RocksDB estimates", **make)
        self._table_memory = Gauge("chat4all_table_memory_bytes", "Memory of a table on this worker", **make)
        timed: dict[str, Any] = {"registry": self.registry, "const_labels": label}
        self.sent_after = Durations(
            "chat4all_accepted_to_sent_seconds",
            "Seconds from a delivery's acceptance to the channel's word that it took it, each once",
            labels=("channel",),
            bounds=DELIVERY_BOUNDS,
            **timed,
        )
        self.hop = Durations(
            "chat4all_hop_seconds",
            "Seconds from the log to durable effects, by agent: the oldest record of each batch",
            labels=("agent",),
            bounds=DELIVERY_BOUNDS,
            **timed,
        )
        self.call = Durations(
            "chat4all_call_seconds", "Seconds of calls to a channel", labels=("channel", "outcome"), **timed
        )
        self._loop_delay = Durations("chat4all_loop_delay_seconds", "Seconds by which the event loop was late", **timed)
        self._in_flight = Gauge("chat4all_in_flight", "Deliveries in hand", **make)
        self._accounts = _AccountGauges(make)
        self._used = Gauge("chat4all_allowance_used_ratio", "Messages of the last second / allowance", **make)
        self._expires = Gauge(
            "chat4all_account_token_expires_seconds", "When the account's credentials end, Unix time", **make
        )
        self._disk = Gauge("chat4all_disk_free_ratio", "Free space where the process keeps its data", **make)
        self._data_folder: Path | None = None
        self._process = {
            name: (Counter if name.endswith("_total") else Gauge)(name, doc, **make)
            for name, (doc, _) in PROCESS_READINGS.items()
        }
        self._count_in_flight: Callable[[], int] | None = None
        self._reports: Callable[[], Iterable[AccountReport]] | None = None
        self._used_shares: Callable[[], Mapping[str, float]] = dict
        self._tables: dict[str, tuple[Callable[[], int], Callable[[], int]]] = {}
        self._newest_mirrored_ms: int | None = None
        self._behind = 0

    def completed(self, agent: str, records: Sequence[ConsumerRecord]) -> None:
        self._events.add((agent,), len(records))
        if records:
            self.hop.count(max(0.0, (now_ms() - records[0].timestamp) / 1000), agent)

    def sent(self, channel: str, status: str, count: int = 1, *, after_ms: int | None = None) -> None:
        """Count outcomes. ``after_ms``: from acceptance to SENT."""
        self._sent.add((channel, status), count)
        if after_ms is not None:
            self.sent_after.count(max(0, after_ms) / 1000, channel, times=count)

    def attempted(self, channel: str, account: str, outcome: str, seconds: float) -> None:
        """Count a call of ``seconds``. ``outcome``: a word of a fixed list."""
        self._attempts.add((channel, account, outcome))
        self.call.count(seconds, channel, outcome)

    def loop_was_late(self, seconds: float) -> None:
        self._loop_delay.count(seconds)

    def rebalanced(self) -> None:
        """Count a rebalance of the role's group in which this worker took part."""
        self._rebalances.add(())

    def overtaken(self, channel: str, account: str) -> None:
        self._overtaken.add((channel, account))

    def carried(self, channel: str, kind: str) -> None:
        self._carried.add((channel, kind))

    def dead_letter(self, topic: str, reason: str) -> None:
        self._dead.add((topic, reason))

    def webhook_element(self, channel: str, outcome: str, count: int = 1) -> None:
        """``outcome``: a member of ``domain.inbound.ElementOutcome``."""
        self._elements.add((channel, outcome), count)

    def passed_over(self, topic: str) -> None:
        """Count a record that the mirror cannot write."""
        self._passed_over.add((topic,))

    def removed_unread(self, topic: str, count: int) -> None:
        self._lost.add((topic,), count)

    def impossible_time(self) -> None:
        self._impossible.inc({})

    def lags(self, records: Mapping[TP, int]) -> None:
        """Show exactly these partitions: those held by this worker with a known position."""
        self._lag.values.clear()
        self._behind = sum(max(0, count) for count in records.values())
        for tp, count in records.items():
            self._lag.set({"topic": tp.topic, "partition": str(tp.partition)}, max(0, count))

    def mirrored(self, newest_ms: int) -> None:
        """The newest mirrored record was appended at ``newest_ms`` (epoch milliseconds)."""
        self._newest_mirrored_ms = newest_ms

    def watch_table(self, name: str, rows: Callable[[], int], memory_bytes: Callable[[], int]) -> None:
        """Show the results of both at each scrape."""
        self._tables[name] = rows, memory_bytes

    def watch_in_flight(self, count: Callable[[], int]) -> None:
        """Show the result of ``count`` at each scrape."""
        self._count_in_flight = count

    def watch_accounts(self, reports: Callable[[], Iterable[AccountReport]]) -> None:
        """Show the accounts of this worker at each scrape, as ``reports`` tells of them."""
        self._reports = reports

    def watch_allowances(self, used: Callable[[], Mapping[str, float]]) -> None:
        """Show at each scrape which share of its allowance each account used."""
        self._used_shares = used

    def tokens_expire(self, at_seconds: Mapping[str, float]) -> None:
        """Show when the credentials of accounts end (Unix time), by account."""
        for account, seconds in islice(at_seconds.items(), MOST_LABEL_SETS):
            self._expires.set({"account": account}, seconds)

    def watch_disk(self, folder: Path) -> None:
        """Show at each scrape how much of the disk under ``folder`` is free."""
        self._data_folder = folder

    def render(self, accept: list[str]) -> tuple[bytes, dict[str, str]]:
        """Return the exposition and its headers."""
        if self._count_in_flight is not None:
            self._in_flight.set({}, self._count_in_flight())
        if self._reports is not None:
            reports = list(self._reports())
            self._accounts.show(reports)
            for report in reports:
                self._overtaken.add((report.channel, report.account), 0)  # shown before anything happens
        for account, share in islice(self._used_shares().items(), MOST_LABEL_SETS):
            self._used.set({"account": account}, round(share, 4))
        for table, (rows, memory_bytes) in self._tables.items():
            self._table_rows.set({"table": table}, rows())
            self._table_memory.set({"table": table}, memory_bytes())
        if self._newest_mirrored_ms is not None:
            age_ms = max(0, now_ms() - self._newest_mirrored_ms)
            self._mirror_delay.set({}, age_ms / 1000 if self._behind else 0.0)
        if self._data_folder is not None and (free := free_ratio(self._data_folder)) is not None:
            self._disk.set({}, free)
        for name, collector in self._process.items():
            collector.set({}, PROCESS_READINGS[name][1]())
        for counts in _Counts.of(self.registry):
            counts.show()
        body, headers = render(self.registry, accept)
        return body, dict(headers)


class _Counts:
    """A counter that is cheap to add to, with at most ``MOST_LABEL_SETS`` sets of labels.

    aioprometheus checks each label at each addition, which cost a tenth of a busy worker's time.
    """

    def __init__(self, name: str, doc: str, make: Mapping[str, Any], *labels: str) -> None:
        self._counter = Counter(f"chat4all_{name}", doc, **make)
        self._counter.counts = self
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, values: tuple[str, ...], count: int = 1) -> None:
        counts = self._counts
        if values not in counts and len(counts) >= MOST_LABEL_SETS:
            values = (OTHER,) * len(self._labels)
        counts[values] = counts.get(values, 0) + count

    @staticmethod
    def of(registry: Registry) -> list[_Counts]:
        """Return all that were made in ``registry``."""
        return [collector.counts for collector in registry.get_all() if hasattr(collector, "counts")]

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
