"""The accounts of channels: the workers' reports, and the commands pause and resume.

The workers write an ``AccountReport`` for each account and partition to ``<channel>-accounts``, a compacted topic. This
view reads the new reports at each request of an operator, so a process without such requests reads nothing.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from app.kafka.codec import decode, encode
from app.kafka.topics import Topics
from domain.accounts import Account
from domain.breaker import BreakerState
from domain.errors import LogUnavailable, MalformedRecord, NotFound
from domain.records import AccountReport, ChannelCommand
from web.admin.record_log import LogRecord, RecordLog, RecordReader

log = logging.getLogger(__name__)

FRESH_MS = 1_000  # the workers report at most once a second
MOST_REPORTS = 50_000
MOST_ERRORS = 5
PAUSE, RESUME = "pause", "resume"
_WORST_FIRST = (BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED)


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as its partitions' owners report it. ``reports``: by partition; none before the first one."""

    channel: str
    account: str
    reports: Sequence[AccountReport]

    @property
    def breaker(self) -> str | None:
        """The worst state of its partitions, ``None`` without a report."""
        found = {report.breaker for report in self.reports}
        return next((str(state) for state in _WORST_FIRST if state in found), None)

    @property
    def is_paused(self) -> bool:
        """Whether it is paused on every partition."""
        return bool(self.reports) and all(report.paused for report in self.reports)

    @property
    def waiting_by(self) -> Mapping[str, int]:
        """The number of waiting conversations by reason."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.waiting_by)
        return total

    @property
    def last_errors(self) -> Sequence[AccountReport]:
        """Up to ``MOST_ERRORS`` reports with an error, the latest first, each error once."""
        found: dict[str, AccountReport] = {}
        for report in sorted(self.reports, key=lambda report: -report.at_ms):
            if report.last_error:
                found.setdefault(report.last_error, report)
        return list(found.values())[:MOST_ERRORS]


class Channels:
    """The front of channels. ``accounts``: those declared, by channel."""

    def __init__(
        self,
        *,
        log: RecordLog,
        topics: Topics,
        partitions: int,
        accounts: Mapping[str, Sequence[Account]],
        clock_ms: Callable[[], int],
    ) -> None:
        self._log = log
        self._topics = topics
        self._partitions = partitions
        self._names = {channel: [account.name for account in of] for channel, of in accounts.items()}
        self._clock_ms = clock_ms
        self._reports: dict[tuple[str, str, int], AccountReport] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._as_of_ms: int | None = None
        self._lock = asyncio.Lock()

    async def accounts(self) -> tuple[Sequence[AccountState], int]:
        """Return every declared account with its reports, and the time (epoch ms) up to which they were read.

        An account that is not declared any more is among them while deliveries of it wait.

        Without Kafka, return the reports of the last successful reading. Raises ``LogUnavailable`` before the first.
        """
        async with self._lock:
            if self._as_of_ms is None or self._clock_ms() - self._as_of_ms >= FRESH_MS:
                try:
                    await self._read()
                except LogUnavailable as error:
                    if self._as_of_ms is None:
                        raise
                    log.warning("the accounts of channels are shown as of %d: %s", self._as_of_ms, error)
            assert self._as_of_ms is not None
            return list(self._states()), self._as_of_ms

    async def command(self, channel: str, account: str, command: str, *, by: str, reason: str) -> ChannelCommand:
        """Write ``PAUSE`` or ``RESUME`` to each partition; return it. Workers obey when they have read it.

        Raises ``NotFound`` for an undeclared account. Raises ``LogUnavailable``; repeat the command then.
        """
        if account not in self._names.get(channel, ()):
            known = ", ".join(self._names.get(channel, ())) or "none"
            raise NotFound(f"there is no account {account!r:.80} of {channel!r:.40}; there is {known}")
        record = ChannelCommand(
            command, str(uuid.uuid4()), account=account, by=by, at_ms=self._clock_ms(), reason=reason
        )
        value, topic = encode(record), self._topics.commands(channel)
        await asyncio.gather(*(self._log.write(topic, n, None, value) for n in range(self._partitions)))
        return record

    async def _read(self) -> None:
        began_ms = self._clock_ms()
        async with self._log.reading() as reader:
            for channel in self._names:
                await self._read_channel(reader, channel)
        self._as_of_ms = began_ms

    async def _read_channel(self, reader: RecordReader, channel: str) -> None:
        topic = self._topics.accounts(channel)
        ranges = {
            n: (max(first, self._positions.get((channel, n), 0)), stop)
            for n, (first, stop) in (await reader.ranges(topic)).items()
        }
        async for record in reader.read(topic, ranges):
            self._take(channel, record)
            self._positions[channel, record.partition] = record.offset + 1

    def _take(self, channel: str, record: LogRecord) -> None:
        try:
            report = decode(record.value, AccountReport)
        except MalformedRecord as error:
            log.warning("%s[%d]@%d skipped: %s", self._topics.accounts(channel), record.partition, record.offset, error)
            return
        key = (channel, report.account, report.partition)
        if key in self._reports or len(self._reports) < MOST_REPORTS:
            self._reports[key] = report

    def _states(self) -> Iterator[AccountState]:
        for channel, names in self._names.items():
            left = {of for at, of, _ in self._reports if at == channel and of not in names and self._waits(at, of)}
            for name in (*names, *sorted(left)):
                reports = (self._reports.get((channel, name, n)) for n in range(self._partitions))
                yield AccountState(channel, name, [report for report in reports if report is not None])

    def _waits(self, channel: str, account: str) -> bool:
        found = (self._reports.get((channel, account, n)) for n in range(self._partitions))
        return any(report is not None and report.waiting > 0 for report in found)


ADMIN_CHANNELS = web.AppKey("admin_channels", Channels)
