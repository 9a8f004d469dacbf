"""A channel whose worker crashes on every start is a matter of that channel only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.generator import percentile
from loadtests.groups import Groups, until
from loadtests.orders import Orders
from loadtests.processes import Process
from loadtests.run import Run
from loadtests.supervised import supervisor
from loadtests.system import Servers, System, free_ports, system_settings

pytestmark = pytest.mark.real

PER_SECOND = 100.0
SECONDS = 6.0
CRASHES = 2
# shares a machine of two cores with a process that starts again and again: the middle may suffer a little, no more
SLOWER_AT_MOST = 3.0
SLOWER_AT_MOST_MS = 250.0


@pytest.fixture(scope="module")
def quiet_system(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One worker of each role but telegram."""
    folder: Path = tmp_path_factory.mktemp("bulkheads")
    made = System(system_settings(stack, folder), folder, {"core": 1, "mirror": 1, "whatsapp": 1, "instagram": 1})
    try:
        asyncio.run(made.start())
        yield made
    finally:
        asyncio.run(made.stop())


def _crashes(process: Process) -> int:
    return process.log_text().count("ended with exit code")


async def _delivered(system: System) -> tuple[float, float]:
    """Send to the healthy channels at a steady rate; return the median and the 95th percentile to READ, in ms."""
    orders = Orders(60, ["whatsapp", "instagram"])
    async with Run(system) as run:
        await run.meet(orders)
        known = len(run.ledger.durations_ms())
        shots = await run.send(orders.make(round(PER_SECOND * SECONDS)), PER_SECOND)
        assert shots.count(202) == len(shots)
        assert await run.settled()
        await run.at_rest()
        balance = run.balance()
        assert balance.is_balanced, str(balance)
        durations = run.ledger.durations_ms()
        assert len(durations) == known + len(shots)
    return percentile(durations, 0.5), percentile(durations, 0.95)


async def test_a_channel_that_crashes_on_every_start_leaves_the_others_figures_untouched(
    quiet_system: System, tmp_path: Path
) -> None:
    settings = replace(quiet_system.settings, metrics_port=free_ports(1))
    before = await _delivered(quiet_system)

    broken = supervisor(replace(settings, partitions=settings.partitions + 1), tmp_path, {"telegram": 1}, "broken")
    broken.start()
    try:

        async def has_crashed() -> bool:
            return _crashes(broken) >= CRASHES

        await until("telegram has crashed repeatedly", 60, has_crashed)
        crashes = _crashes(broken)
        most = before[0] * SLOWER_AT_MOST + SLOWER_AT_MOST_MS
        during = await _delivered(quiet_system)
        if during[0] > most:  # other tests may have had the processor
            during = await _delivered(quiet_system)
        assert _crashes(broken) > crashes, "it did not even try to start meanwhile"
        print(f"to READ, p50 and p95 in ms: before {before}, while telegram crashes {during}")
        assert during[0] <= most

        waiting = Orders(5, ["telegram"])
        async with Run(quiet_system) as run:
            await run.send(waiting.one_for_each_conversation())
            assert not await run.settled(stall_seconds=2), "nobody can have delivered these"
            broken.send(15)
            await asyncio.to_thread(broken.end, 20)
            mended = supervisor(settings, tmp_path, {"telegram": 1}, "mended")
            mended.start()
            try:
                assert await run.settled(), "what waited for the channel is delivered once it works"
                balance = run.ledger.balance()
                assert balance.is_balanced, str(balance)
                async with Groups.connected(settings) as groups:
                    assert await groups.is_complete("telegram", 1)
            finally:
                mended.send(15)
                await asyncio.to_thread(mended.end, 20)
    finally:
        broken.kill()
