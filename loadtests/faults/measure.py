"""Runs a row: load, the fault, more load, rest; then the ledger, the provider's count and the audit."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, time

from app.audit import audit
from loadtests.faults.load import Load
from loadtests.faults.orders import CONVERSATIONS
from loadtests.faults.row import Found, Row
from loadtests.faults.signals import Signals
from loadtests.faults.world import World
from loadtests.groups import NotInTime
from loadtests.provider import Taken
from loadtests.run import Run
from loadtests.standstill import longest_gap
from tables.loaders import LOADERS

CONNECTIONS = 8
BEFORE_SECONDS = 1.0
LONGEST_SECONDS = 180.0
_LOOK_SECONDS = 0.1


@dataclass(slots=True)
class _Times:
    """Epoch ms."""

    began: float = 0.0
    over: float = 0.0


class Measurement:
    """One run of ``row`` in ``world``."""

    def __init__(self, row: Row, world: World) -> None:
        self._row = row
        self._world = world
        self._found = Found(row)
        world.orders.clear()
        self._orders = world.more_orders()
        self._times = _Times()

    async def run(self) -> Found:
        """Run it. A fault of the system becomes one of ``Found.faults``."""
        began, found = monotonic(), self._found
        ends_before = len(self._world.system.ends)
        signals = Signals(self._world)
        async with Run(self._world.system, connections=CONNECTIONS) as run:
            self._world.run = run
            await run.meet(self._orders)
            watching = [asyncio.create_task(signals.watch()), asyncio.create_task(self._watch_held(run))]
            try:
                await self._under_load(run)
                await self._rest(run)
            finally:
                for task in watching:
                    task.cancel()
                await asyncio.wait(watching)
            await self._judge(run)
        found.signals = signals.words()
        found.restarts = len(self._world.system.ends) - ends_before
        found.faults += [f"nobody saw {alert}" for alert in self._row.expects if alert not in found.signals]
        found.row_seconds, found.load_average = monotonic() - began, os.getloadavg()[0]
        return found

    async def _watch_held(self, run: Run) -> None:
        while True:
            self._found.held = max(self._found.held, len(run.ledger.open))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _under_load(self, run: Run) -> None:
        row, times, found = self._row, self._times, self._found
        load = Load(run, self._orders, row.per_second)
        loading = asyncio.create_task(load.go_on())
        await asyncio.sleep(BEFORE_SECONDS)
        times.began = time() * 1000
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                found.remark = str(await row.act(self._world) or "")
        except Exception as error:  # noqa: BLE001  the row is BAD, and the next one runs
            found.faults.append(f"the fault could not be made or ended: {error!r}")
        times.over = time() * 1000
        found.fault_seconds = (times.over - times.began) / 1000
        await asyncio.sleep(max(row.after_seconds, row.load_seconds - found.fault_seconds))
        load.is_over = True
        await loading
        found.accepted, found.refused = load.answers[202], load.answers[503]
        others = {status: count for status, count in load.answers.items() if status not in (0, 202, 503)}
        found.faults += [f"{count} answers were {status}" for status, count in others.items()]

    async def _rest(self, run: Run) -> None:
        seconds = self._row.settle_seconds
        if not await run.settled(seconds):
            self._found.faults.append(f"{len(run.ledger.open)} messages had no last word")
        try:
            await run.at_rest(seconds)
        except NotInTime as error:
            self._found.faults.append(str(error))

    async def _judge(self, run: Run) -> None:
        found, row = self._found, self._row
        balance = run.ledger.balance(None, may_repeat=True)
        found.read, found.failed, found.uncertain = balance.read - CONVERSATIONS, balance.failed, balance.uncertain
        found.lost = len(balance.faults.get("accepted and not in the log", ())) + len(
            balance.faults.get("accepted and never finished", ())
        )
        found.faults += [f"{kind}: {len(texts)}, {texts[0]:.200}" for kind, texts in balance.faults.items()]
        if found.refused and not row.may_refuse:
            found.faults.append(f"{found.refused} messages were refused with 503")
        taken = await self._world.provider.taken()
        mine = {name for orders in self._world.orders for name in orders.conversations}
        self._check_taken(run, [each for each in taken if each.conversation in mine])
        self._standstill(run)
        report = await audit(self._world.audited, LOADERS)
        found.audit = "clean" if report.is_clean else "NOT clean"
        if not report.is_clean:
            found.faults.append(f"the audit: {report}")

    def _check_taken(self, run: Run, taken: Sequence[Taken]) -> None:
        """Compare with the provider's own record: nothing twice, and each address in the order of the log."""
        found = self._found
        times = Counter(each.token for each in taken)
        repeated = [token for token, count in times.items() if count > 1]
        found.twice = len(repeated)
        if repeated:
            found.faults.append(f"the provider took {len(repeated)} messages twice, such as {repeated[0]}")
        first: dict[str, int] = {}
        for each in taken:
            first.setdefault(each.token, each.number)
        for conversation in {each.conversation for each in taken}:
            places = [first[token] for token in run.ledger.in_log_order(conversation) if token in first]
            if places != sorted(places):
                found.disordered += 1
        if found.disordered:
            found.faults.append(f"the provider took {found.disordered} conversations out of order")

    def _standstill(self, run: Run) -> None:
        found, times, marks = self._found, self._times, run.reader.marks
        last = max((at[-1] for at in marks.values() if at), default=times.over)
        partitions = range(self._world.settings.partitions)
        still = [longest_gap(marks[n], times.began, max(last, times.began)) for n in partitions]
        found.still_seconds = max(still) / 1000
        on = [next((at for at in marks[n] if at >= times.over), last) for n in partitions]
        found.on_seconds = max(0.0, (max(on) - times.over) / 1000)
        if found.on_seconds > self._row.within_seconds:
            found.faults.append(f"a partition went on {found.on_seconds:.1f} s after the fault")
