"""Decides which delivery starts next: its turn has come, and a slot, its account and the clock allow it.

Deliveries whose account may not send stay in the account's lane. Those that are not due yet are in a heap of timers.
The scheduler runs when something changes: a delivery is offered, a call ended, a timer is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import count
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from app.clock import now_ms
from domain.attempts import Reason

if TYPE_CHECKING:
    from agents.account_lane import AccountLane
    from agents.chains import Head

LONGEST_SLEEP_SECONDS = 5.0  # the clock may be set
SWEEP_SECONDS = 1.0  # between two looks for ready deliveries whose time has passed


class Scheduler:
    """``start`` begins a delivery that may be sent now; ``due`` gets one whose time has come, or has passed.

    ``fail`` gets an error of the timers' task. While ``is_full`` nothing starts. ``each_turn`` is called at least every
    ``LONGEST_SLEEP_SECONDS``.

    ``slots``: calls of this worker at a time.
    """

    def __init__(
        self,
        lanes: Mapping[str, AccountLane],
        slots: int,
        start: Callable[[AccountLane, Head], None],
        due: Callable[[Head], None],
        fail: Callable[[BaseException], None],
        is_full: Callable[[], bool],
        each_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._lanes = lanes
        self._slots = slots
        self._start = start
        self._due = due
        self._fail = fail
        self._is_full = is_full
        self._each_turn = each_turn
        self._timers: list[tuple[int, int, Head]] = []
        self._order = count()
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.is_open = False
        self.in_flight = 0
        self._swept_at = 0.0
        self._startable_since: float | None = None

    def open(self) -> None:
        """Begin to start deliveries."""
        self.is_open = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)
        self._changed.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def close(self) -> None:
        """Start nothing more, and forget ready and waiting heads."""
        self.is_open = False
        self._timers.clear()
        for lane in self._lanes.values():
            lane.clear()

    def offer(self, lane: AccountLane, head: Head) -> None:
        """Start the delivery as soon as it may be sent."""
        if self.is_open:
            lane.ready(head)
            self._start_ready(lane)

    def wake_at(self, head: Head, at_ms: int) -> None:
        """Hand the delivery to ``due`` at this time (epoch ms)."""
        if not self.is_open:
            return
        if not self._timers or at_ms < self._timers[0][0]:
            self._changed.set()
        heappush(self._timers, (at_ms, next(self._order), head))

    def released(self, lane: AccountLane) -> None:
        """A slot is free, and the lane may have become free."""
        self.in_flight -= 1
        self._start_ready(lane)
        if self.in_flight == self._slots - 1:
            self.start_all()

    def start_all(self) -> None:
        """There is room again: look at all accounts."""
        for lane in tuple(self._lanes.values()):
            self._start_ready(lane)

    def changed(self, lane: AccountLane) -> None:
        """The account may have become free: look again."""
        self._start_ready(lane)

    def waiting_by(self, lane: AccountLane) -> Reason | None:
        """Return why the ready deliveries of the lane wait, ``None`` if there are none."""
        if lane.next_ready() is None:
            return None
        blocked = lane.blocked(monotonic())
        return Reason.IN_FLIGHT if blocked is None else blocked[0]

    def stalled_seconds(self) -> float:
        """Return for how long a delivery could have started and did not."""
        now = monotonic()
        is_startable = self.is_open and self.in_flight < self._slots and not self._is_full()
        if not is_startable or all(lane.next_ready() is None or lane.blocked(now) for lane in self._lanes.values()):
            self._startable_since = None
        elif self._startable_since is None:
            self._startable_since = now
        return 0.0 if self._startable_since is None else now - self._startable_since

    def _start_ready(self, lane: AccountLane) -> None:
        if not self.is_open:
            return
        now = monotonic()
        while self.in_flight < self._slots and not self._is_full() and (head := lane.next_ready()) is not None:
            if head.is_gone:  # it was cancelled
                lane.take()
                continue
            if head.row.not_after_ms <= now_ms():
                lane.take()
                self._due(head)
                continue
            if blocked := lane.blocked(now):
                lane.blocked_by = blocked[0]
                self._wake_lane(lane, now + blocked[1])
                return
            lane.take()
            if wait := lane.allowance.pair_wait_seconds(now, head.address):
                self.wake_at(head, now_ms() + int(wait * 1000) + 1)
                continue
            lane.begin(now, head)
            self.in_flight += 1
            self._start(lane, head)

    def _wake_lane(self, lane: AccountLane, at: float) -> None:
        if at < lane.wakes_at:
            lane.wakes_at = at
            self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now = monotonic()
            for lane in tuple(self._lanes.values()):
                if lane.wakes_at <= now:
                    lane.wakes_at = inf
                    self._start_ready(lane)
            if now - self._swept_at >= SWEEP_SECONDS:
                self._swept_at = now
                for lane in tuple(self._lanes.values()):
                    for head in lane.remove_expired(now_ms()):
                        self._due(head)
            if self.is_open:
                self._each_turn()
            time_ms = now_ms()
            while self._timers and self._timers[0][0] <= time_ms:
                self._due(heappop(self._timers)[2])
            sleep = min([LONGEST_SLEEP_SECONDS, *(lane.wakes_at - monotonic() for lane in self._lanes.values())])
            if any(lane.next_ready() is not None for lane in self._lanes.values()):
                sleep = min(sleep, SWEEP_SECONDS)
            if self._timers:
                sleep = min(sleep, (self._timers[0][0] - now_ms()) / 1000)
            try:
                async with asyncio.timeout(max(0.001, sleep)):
                    await self._changed.wait()
            except TimeoutError:
                pass
