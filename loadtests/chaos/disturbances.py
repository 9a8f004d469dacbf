"""Kills, freezes and rebalances of the channel's workers, by the plan."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from cli.workers import worker_specs
from loadtests.chaos.plan import CHANNEL, JOIN_SECONDS, Act, Disturbance, Plan
from loadtests.groups import Groups, NotInTime, until
from loadtests.processes import Process
from loadtests.supervised import SupervisedSystem
from loadtests.system import free_ports

_FREEZE_MORE_SECONDS = 3.0  # than the session
_GROUP_SECONDS = 45.0
_STOP_SECONDS = 20.0
_RESTART_SECONDS = 30.0


class Disturber:
    """Disturbs ``system``; ``say`` gets a line for each act."""

    def __init__(self, plan: Plan, system: SupervisedSystem, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._system = system
        self._folder = folder
        self._say = say

    async def run(self) -> None:
        """Do all of the plan, one after the other. Raises ``NotInTime`` if a worker does not come back."""
        clock = asyncio.get_running_loop().time
        began = clock()
        for each in self._plan.disturbances():
            if (wait_seconds := began + each.at_seconds - clock()) > 0:
                await asyncio.sleep(wait_seconds)
            self._say(f"{clock() - began:6.1f} s  {each.act} {CHANNEL}-{each.worker}")
            await self._do(each)

    async def _do(self, each: Disturbance) -> None:
        worker = self._system.worker(f"{CHANNEL}-{each.worker}")
        match each.act:
            case Act.KILL:
                await self._runs(worker)
                worker.kill()
            case Act.FREEZE:
                await self._runs(worker)
                pid = worker.pid
                worker.send(signal.SIGSTOP)
                await asyncio.sleep(self._system.settings.session_timeout_seconds + _FREEZE_MORE_SECONDS)
                if worker.pid == pid:
                    worker.send(signal.SIGCONT)
            case Act.JOIN:
                await self._join()

    async def _runs(self, worker: Process) -> None:
        async def runs() -> bool:
            return worker.is_running

        await until(f"{worker.name} runs", _RESTART_SECONDS, runs)

    async def _join(self) -> None:
        """Let a third worker join and leave."""
        spec = worker_specs(self._system.settings, {CHANNEL: 3})[-1]
        port = str(free_ports(1))
        command = (*spec.command[:-1], port)
        spec = type(spec)(spec.name, command, {**spec.environ, "CHAT4ALL_METRICS_PORT": port}, spec.output, spec.stage)
        third = Process(spec, self._folder)
        third.start()
        try:
            async with Groups.connected(self._system.settings) as groups:

                async def is_in() -> bool:
                    instance = spec.environ["CHAT4ALL_INSTANCE"]
                    return any(m.instance == instance and m.partitions for m in await groups.members(CHANNEL))

                try:
                    await until("the third worker has partitions", _GROUP_SECONDS, is_in)
                except NotInTime as error:
                    self._say(f"         {error}")
            await asyncio.sleep(JOIN_SECONDS)
            third.send(signal.SIGTERM)
        finally:
            await asyncio.to_thread(third.end, _STOP_SECONDS)
