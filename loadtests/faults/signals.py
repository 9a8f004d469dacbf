"""The signals of a fault for an operator: the series that the alerts of docker/observability stand on, looked at often.

An alert waits for minutes before it fires; a row of the matrix takes seconds. So this names each alert with a true
condition, the least duration, and the alert's own waiting time.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.workers import port_of
from docker.observability.alerts import ALERTS
from loadtests.metric_pages import Sample, page, total

if TYPE_CHECKING:
    from loadtests.faults.world import World

LOOK_SECONDS = 0.5
LAG_RECORDS = 200  # the alert's 5,000 are for production's load; this matrix sends 30 a second
MIRROR_SECONDS = 5.0
LASTS: Mapping[str, str] = {alert.name: alert.lasts for alert in ALERTS}


@dataclass(slots=True)
class _Seen:
    seconds: float = 0.0
    most: float = 0.0


@dataclass(slots=True)
class Signals:
    """Use ``watch`` as a task. ``seen``: by alert, how long its condition was true and its highest value."""

    world: World
    seen: defaultdict[str, _Seen] = field(default_factory=lambda: defaultdict(_Seen))
    _before: dict[str, Sample] = field(default_factory=dict)

    async def watch(self) -> None:
        """Look at every process until cancelled."""
        while True:
            await asyncio.gather(self._look(), asyncio.sleep(LOOK_SECONDS))

    async def _look(self) -> None:
        system = self.world.system
        samples = dict(
            zip(
                [worker.name for worker in system.workers],
                await asyncio.gather(*(page(port_of(worker.spec)) for worker in system.workers)),
                strict=True,
            )
        )
        api = await page(system.settings.port)
        self._workers(samples)
        self._api(api)

    def _workers(self, samples: Mapping[str, Sample | None]) -> None:
        by_role: defaultdict[str, list[Sample | None]] = defaultdict(list)
        for name, sample in samples.items():
            by_role[name.rpartition("-")[0]].append(sample)
            if sample is None:
                self._note("ProcessDown", 1)
                continue
            starts = "process_start_time_seconds"
            before = self._before.get(name, sample)
            if total(sample, starts) > total(before, starts):
                self._count("Restarts", 1)
            else:
                self._counters(before, sample)
            self._before[name] = sample
        for role, of_role in by_role.items():
            alive = [sample for sample in of_role if sample is not None]
            if not alive:
                self._note("RoleWithoutWorker", 1)
            self._role(role, alive)

    def _role(self, role: str, alive: Sequence[Sample]) -> None:
        lag = sum(total(sample, "chat4all_lag_records") for sample in alive)
        self._note("Lag", lag, LAG_RECORDS)
        if role == "mirror" and lag:
            self._note(
                "MirrorBehind",
                max((total(sample, "chat4all_mirror_delay_seconds") for sample in alive), default=0),
                MIRROR_SECONDS,
            )
        is_open = sum(
            total(sample, "chat4all_breaker") - total(sample, "chat4all_breaker", 'state="closed"') for sample in alive
        )
        self._note("BreakerOpen", is_open)

    def _counters(self, before: Sample, now: Sample) -> None:
        for alert, name, labels in (
            ("DeadLetters", "chat4all_dead_letters_total", ()),
            ("UnknownOutcomes", "chat4all_attempts_total", ('outcome="unknown"',)),
            ("FailedDeliveries", "chat4all_messages_sent_total", ('status="failure"',)),
            ("RecordsRemovedUnread", "chat4all_records_removed_unread_total", ()),
            ("ImpossibleTimes", "chat4all_impossible_times_total", ()),
        ):
            self._count(alert, total(now, name, *labels) - total(before, name, *labels))

    def _api(self, sample: Sample | None) -> None:
        if sample is None:
            self._note("NoApi", 1)
            return
        process = f"api {total(sample, 'process_start_time_seconds')}"  # behind one port, one of them answers
        before = self._before.get(process, sample)
        self._before[process] = sample
        for status in ('status="500"', 'status="502"', 'status="503"'):
            name, route = "chat4all_http_request_seconds_count", 'route="/v1/messages"'
            self._count("AcceptErrorsFast", total(sample, name, route, status) - total(before, name, route, status))
        for alert, name in (
            ("SlowListeners", "chat4all_live_too_slow_total"),
            ("FileSweepFails", "chat4all_file_sweep_failures_total"),
        ):
            self._count(alert, total(sample, name) - total(before, name))
        self._note("ApiBehind", total(sample, "chat4all_follower_records_behind"), LAG_RECORDS)

    def _note(self, alert: str, value: float, above: float = 0.0) -> None:
        if value > above:
            seen = self.seen[alert]
            seen.seconds += LOOK_SECONDS
            seen.most = max(seen.most, value)

    def _count(self, alert: str, more: float) -> None:
        if more > 0:
            self.seen[alert].most += more

    def words(self) -> dict[str, str]:
        """Return what was seen of each alert."""
        found = {}
        for alert, seen in sorted(self.seen.items()):
            how_much = f"for {seen.seconds:.1f} s, at most {seen.most:g}" if seen.seconds else f"counted {seen.most:g}"
            found[alert] = f"{how_much} (the alert waits for {LASTS[alert]})"
        return found
