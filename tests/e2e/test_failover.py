"""A worker is killed in the middle: nothing is lost, nothing is out of order, and work goes on within seconds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, time

import pytest

from app.audit import audit
from app.ledger.reader import LedgerReader, open_reader
from loadtests.groups import Groups, until
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.standstill import CommitWatch, longest_gap
from loadtests.supervised import SupervisedSystem
from loadtests.system import SHIPPED_SESSION_SECONDS, Servers, System, system_settings
from support.waiting import pass_time
from tables.loaders import LOADERS

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

# ten a second for each partition: two between two looks of the watch
PER_SECOND = 60.0
KILL_AFTER_SECONDS = (2.0, 4.0)
# a session is 6 s; the rest is for a machine with much to do. The figures are those of loadtests.failover
GOES_ON_WITHIN_SECONDS = 15.0
# a standstill is only seen while there is something to do: one that is too long ends, or is cut off, after its bound
SENDING_SECONDS = KILL_AFTER_SECONDS[1] + GOES_ON_WITHIN_SECONDS + 3.0
MESSAGES = round(PER_SECOND * SENDING_SECONDS)
CONVERSATIONS = 100
WORKERS = {"core": 2, "mirror": 1, "whatsapp": 1}
TWO_OF_EACH = dict.fromkeys(WORKERS, 2)


@pytest.fixture(scope="module")
def system(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Without a supervisor, so that a session's end is what tells the others."""
    folder: Path = tmp_path_factory.mktemp("failover")
    settings = system_settings(stack, folder, session_timeout_seconds=SHIPPED_SESSION_SECONDS)
    made = System(settings, folder, TWO_OF_EACH)
    try:
        asyncio.run(made.start())
        yield made
    finally:
        asyncio.run(made.stop())


@pytest.fixture(scope="module")
def supervised(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedSystem]:
    folder: Path = tmp_path_factory.mktemp("supervised")
    made = SupervisedSystem(
        system_settings(stack, folder, session_timeout_seconds=SHIPPED_SESSION_SECONDS), folder, WORKERS
    )
    try:
        asyncio.run(made.start())
        yield made
    finally:
        asyncio.run(made.stop())


async def _killed_in_the_middle(system: System, name: str, seed: int) -> float:
    """Send; kill the worker ``name`` some seconds later; return how long (s) any of its partitions stood still.

    Seen by the SENT facts of those partitions; of the mirror, which makes none, by its commits.
    """
    await system.revive()
    role = name.rpartition("-")[0]
    orders = Orders(CONVERSATIONS, ["whatsapp"])
    async with Run(system, connections=64) as run, CommitWatch(system.settings, role) as watch:
        await run.meet(orders)
        async with Groups.connected(system.settings) as groups:
            instance = system.worker(name).spec.environ["CHAT4ALL_INSTANCE"]
            held = {member.instance: member.partitions for member in await groups.members(role)}[instance]
            work = held & set(groups.work_of(role))
        assert work, f"{name} holds no work"
        sending = asyncio.create_task(run.send(orders.make(MESSAGES), PER_SECOND))
        await pass_time(random.Random(seed).uniform(*KILL_AFTER_SECONDS))

        system.worker(name).kill()
        killed_at, killed_ms = monotonic(), time() * 1000

        shots = await sending
        sent_at, sent_ms = monotonic(), time() * 1000
        assert shots.count(202) == MESSAGES
        assert await run.settled()
        await run.at_rest()
        commits = watch.longest_seconds(work, killed_at, sent_at)
        sents = max(longest_gap(run.reader.marks[tp.partition], killed_ms, sent_ms) for tp in work) / 1000
        balance = run.balance(may_repeat=True)
        print(f"{name}: longest without SENT {sents:.1f} s, without a commit {commits:.1f} s; {balance}")
        assert balance.is_balanced, str(balance)
        assert balance.read == MESSAGES + CONVERSATIONS
    return commits if role == "mirror" else sents


async def _kept(reader: LedgerReader, is_over: asyncio.Event) -> None:
    """Take balances until all is over. Raises ``AssertionError`` at the first one that is not 0."""
    while not is_over.is_set():
        balance = await reader.round()
        assert balance.difference == 0, balance


@pytest.mark.parametrize(("name", "seed"), [("core-1", 1), ("whatsapp-2", 2), ("mirror-1", 3)])
async def test_a_killed_workers_partitions_go_to_the_other_one_and_nothing_is_lost(
    system: System, name: str, seed: int
) -> None:
    async with open_reader(system.settings, LOADERS) as reader:
        is_over = asyncio.Event()
        keeping = asyncio.create_task(_kept(reader, is_over))
        standstill = await _killed_in_the_middle(system, name, seed)
        is_over.set()
        await keeping
        at_rest = await reader.round()
    assert standstill < GOES_ON_WITHIN_SECONDS
    assert (at_rest.difference, at_rest.waiting) == (0, 0)
    report = await audit(system.settings, LOADERS)
    assert report.is_clean, str(report)


@pytest.mark.parametrize(("name", "seed"), [("core-2", 4)])
async def test_a_killed_worker_that_the_supervisor_starts_again_goes_on_with_its_own_partitions(
    supervised: SupervisedSystem, name: str, seed: int
) -> None:
    before = supervised.worker(name).pid
    standstill = await _killed_in_the_middle(supervised, name, seed)
    assert standstill < GOES_ON_WITHIN_SECONDS

    async def is_back() -> bool:
        return supervised.worker(name).pid not in (0, before)

    await until(f"{name} is started again", 10, is_back)
    report = await audit(supervised.settings, LOADERS)
    assert report.is_clean, str(report)
