"""The front of the flow: one document for the operator's page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from domain.errors import LogUnavailable
from domain.status import Status
from web.flow.lag import Lag, LagReader
from web.flow.ledger import Balance
from web.flow.recorder import FlowRecorder, Second

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0  # so long lag and balance are good; several pages share one reading


@dataclass(frozen=True, slots=True)
class Flow:
    """``lag`` and ``balance`` are ``None`` while they cannot be read. ``at_ms``: epoch milliseconds."""

    at_ms: int
    seconds: Sequence[Second]
    percentiles: Mapping[Status, Sequence[int]]
    lag: Lag | None
    balance: Balance | None


class FlowService:
    """One for the process. ``balance`` reads the ledger."""

    def __init__(
        self,
        recorder: FlowRecorder,
        lag: LagReader,
        balance: Callable[[], Awaitable[Balance | None]],
        clock_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self.recorder = recorder
        self._lag_reader = lag
        self._read_balance = balance
        self._clock_ms = clock_ms
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._read_at: float | None = None
        self._lag: Lag | None = None
        self._balance: Balance | None = None

    async def flow(self, since_s: int) -> Flow:
        """Return the flow, with the seconds after ``since_s`` (epoch seconds)."""
        async with self._lock:
            now = self._monotonic()
            if self._read_at is None or now - self._read_at >= FRESH_SECONDS:
                self._lag, self._balance = await asyncio.gather(self._lag_now(), self._read_balance())
                self._read_at = now
        recorder = self.recorder
        return Flow(self._clock_ms(), recorder.seconds(since_s), recorder.percentiles(), self._lag, self._balance)

    async def close(self) -> None:
        """Disconnect."""
        await self._lag_reader.close()

    async def _lag_now(self) -> Lag | None:
        try:
            return await self._lag_reader.read()
        except LogUnavailable as error:
            log.info("%s", error)
            return None


FLOW = web.AppKey("flow", FlowService)
