"""Writes the state of the accounts to ``<channel>-accounts``: for each partition of this worker, when it changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from mode import Service

from app.clock import now_ms
from app.kafka.codec import encode
from domain.attempts import Reason
from domain.records import AccountReport

if TYPE_CHECKING:
    from agents.account_choice import AccountChoice
    from agents.account_lane import AccountLane
    from agents.dispatcher import Dispatcher
    from app.faust.stream_app import StreamApp

PAUSE_SECONDS = 1.0


class AccountReports(Service):  # type: ignore[misc]
    """One record an account and partition, at most once a second. The newest one counts."""

    def __init__(
        self, app: StreamApp, channel: str, dispatcher: Dispatcher, choice: AccountChoice, **kwargs: Any
    ) -> None:
        self._app = app
        self._channel = channel
        self._dispatcher = dispatcher
        self._choice = choice
        self._written: dict[tuple[int, str], AccountReport] = {}
        super().__init__(**kwargs)

    @Service.task  # type: ignore[untyped-decorator]
    async def _report(self) -> None:
        while not self.should_stop:
            await self.sleep(PAUSE_SECONDS)
            if self._dispatcher.scheduler.is_open:
                self.write()
            else:
                self._written.clear()

    def write(self) -> None:
        """Write the reports that differ from those before."""
        for report in self.reports():
            known = self._written.get((report.partition, report.account))
            if known is None or replace(known, at_ms=report.at_ms) != report:
                self._written[report.partition, report.account] = report
                key = f"{report.account} {report.partition}".encode()
                topic = self._app.names.accounts(self._channel)
                self._app.batch_producer.enqueue(topic, report.partition, key, encode(report))

    def reports(self) -> list[AccountReport]:
        """Return the state of each account on each partition of this worker."""
        partitions, lanes = self._dispatcher.partitions, self._choice.lanes.values()
        return [self._of(lane, partition, len(partitions)) for lane in lanes for partition in partitions]

    def _of(self, lane: AccountLane, partition: int, count: int) -> AccountReport:
        now = monotonic()
        backlog = self._dispatcher.queue.backlogs.get((partition, lane.account.name))
        in_flight = lane.in_flight_on[partition]
        waiting = max(0, backlog.size - in_flight) if backlog is not None else 0
        return AccountReport(
            self._channel,
            lane.account.name,
            partition,
            str(lane.breaker.state(now)),
            partition in lane.paused_on,
            waiting,
            in_flight,
            round(lane.allowance.per_second(now) / count, 3) if count else 0.0,
            now_ms(),
            lane.last_error[:500],
            dict(self._waiting_by(lane, partition)),
        )

    def _waiting_by(self, lane: AccountLane, partition: int) -> Counter[str]:
        """Count the heads in memory by reason."""
        reasons: Counter[str] = Counter()
        backlog = self._dispatcher.queue.backlogs.get((partition, lane.account.name))
        blocked = self._dispatcher.scheduler.waiting_by(lane)
        if backlog is None:
            return reasons
        for head in (head for chain in backlog.chains.values() for head in chain.heads()):
            if not self._dispatcher.calls.has(head):
                is_blocked = head.is_ready and blocked is not None
                reasons[str(blocked if is_blocked else head.row.reason or Reason.TURN)] += 1
        reasons.update(sleep.reason for sleep in backlog.sleeping.values())
        return reasons
