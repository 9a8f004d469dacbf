"""Ends a live worker that makes no progress although there is work, or whose rebalance does not end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from faust.types import TP
from mode import Service

from app.loop_delay import measure
from app.metrics import Metrics
from app.settings import Settings

log = logging.getLogger(__name__)

LOOKUP_SECONDS = 10.0


class Stalled(Exception):
    """The worker has work and makes no progress."""


class WatchedWorker(Protocol):
    """The parts of a ``StreamApp`` read by the watchdog; ``abort`` ends the process."""

    settings: Settings
    metrics: Metrics
    consumer: Any
    tables: Any
    blocked_on: str | None
    progress: int
    rebalancing: bool
    stalls: list[Callable[[], str | None]]

    def abort(self, what: str, error: BaseException) -> None: ...


class Watchdog(Service):  # type: ignore[misc]
    """Checks every tenth of ``watchdog_seconds``. A broker that does not answer, or a named dependency, is no
    stall.
    """

    def __init__(self, app: WatchedWorker, *, pause_seconds: float | None = None, **kwargs: Any) -> None:
        self.app = app
        self._limit_seconds = app.settings.watchdog_seconds
        self._pause_seconds = pause_seconds or max(0.5, self._limit_seconds / 10)
        self._seen: object = None
        self._still_since = 0.0
        super().__init__(**kwargs)

    @Service.task  # type: ignore[untyped-decorator]
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(self._pause_seconds)
            lag = await self._lag()
            now = self.loop.time()
            for stall in self.app.stalls:
                if what := stall():
                    self.app.abort("the watchdog", Stalled(f"{what} for {self._limit_seconds:.0f} s"))
            progress = self._progress()
            is_idle = lag == 0 and not self.app.rebalancing
            if lag is None or is_idle or progress != self._seen or self.app.blocked_on:
                self._seen, self._still_since = progress, now
            elif now - self._still_since > self._limit_seconds:
                what = "a rebalance does not end" if self.app.rebalancing else f"{lag} records wait"
                error = Stalled(f"{what} and no offset was committed for {self._limit_seconds:.0f} s")
                self.app.abort("the watchdog", error)

    @Service.task  # type: ignore[untyped-decorator]
    async def _measure_loop(self) -> None:
        await measure(self.app.metrics.loop_was_late)

    async def _lag(self) -> int | None:
        """Return how many records of our partitions are not committed; ``None`` if the broker does not answer.

        A partition without a known position (each one before the end of a rebalance) counts as one waiting record.
        """
        try:
            tps = self._sources()
            ends = (await self.wait(self.app.consumer.highwaters(*tps), timeout=LOOKUP_SECONDS)).result if tps else {}
            tps &= self._sources()  # a rebalance may have begun meanwhile
        except Exception as error:  # noqa: BLE001  the driver raises various errors during an outage
            log.debug("no lag: %r", error)
            return None
        if tps and not ends:
            return None
        committed = self.app.consumer._committed_offset
        lags: dict[TP, int] = {tp: (ends.get(tp) or 0) - committed[tp] for tp in tps if committed[tp] is not None}
        self.app.metrics.lags(lags)
        return sum(lag for lag in lags.values() if lag > 0) + len(tps - set(lags))

    def _sources(self) -> set[TP]:
        consumer = self.app.consumer
        return {tp for tp in consumer.assignment() if not consumer._is_changelog_tp(tp)}

    def _progress(self) -> object:
        """Return a value that changes whenever this worker makes progress."""
        committed = {tp: offset for tp, offset in self.app.consumer._committed_offset.items() if offset is not None}
        recovery = self.app.tables.recovery
        restored = sum(offset or 0 for offset in recovery.active_offsets.values())
        return committed, restored, self.app.progress
