"""Cassandra or Kafka goes away under load: what the door says, what goes on, and that nothing accepted is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from app.audit import audit
from devstack import Stack, StackConfig
from loadtests.groups import until
from loadtests.http_client import Answer
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.supervised import SupervisedSystem
from loadtests.system import SHIPPED_SESSION_SECONDS, system_settings
from support.waiting import pass_time
from tables.loaders import LOADERS

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

WORKERS = {"core": 1, "mirror": 1, "whatsapp": 1}
PER_SECOND = 50.0
CONVERSATIONS = 50
AWAY_SECONDS = 8.0
ANSWER_WITHIN_SECONDS = 8.0
RECOVER_WITHIN_SECONDS = 60.0
# Cassandra marks every 100 ms how far its commit log can be replayed. One server alone that is killed loses what it
# acknowledged since then; where there are three, the others have it.
COMMIT_LOG_SECONDS = 1.0


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers that these tests alone may stop."""
    usual = StackConfig.from_environment()
    own = Stack(StackConfig.on_free_ports(tmp_path_factory.mktemp("stack"), usual.jars_folder))
    try:
        own.up(["kafka", "cassandra"])
        yield own
    finally:
        own.down()


@pytest.fixture(scope="module")
def supervised(own_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedSystem]:
    folder: Path = tmp_path_factory.mktemp("outages")
    made = SupervisedSystem(
        system_settings(own_stack, folder, session_timeout_seconds=SHIPPED_SESSION_SECONDS), folder, WORKERS
    )
    try:
        asyncio.run(made.start())
        yield made
    finally:
        asyncio.run(made.stop())


@asynccontextmanager
async def _away(stack: Stack, part: str) -> AsyncIterator[None]:
    """The part is killed, as by a power cut, and there again at the end."""
    await asyncio.to_thread(stack.part(part).kill)
    try:
        yield
    finally:
        await asyncio.to_thread(stack.part(part).start)


async def _agrees(system: SupervisedSystem, run: Run, seconds: float) -> None:
    """Every message came to its end, the ledger balances, and all views agree."""
    assert await run.settled(seconds)
    await run.at_rest(seconds)
    balance = run.balance(may_repeat=True)
    assert balance.is_balanced, str(balance)
    report = await audit(system.settings, LOADERS)
    assert report.is_clean, str(report)


async def test_without_cassandra_messages_are_accepted_and_delivered_and_the_mirror_catches_up(
    supervised: SupervisedSystem, own_stack: Stack
) -> None:
    orders = Orders(CONVERSATIONS, ["whatsapp"])
    async with Run(supervised) as run:
        await run.meet(orders)
        await run.at_rest(RECOVER_WITHIN_SECONDS)
        await pass_time(COMMIT_LOG_SECONDS)
        async with _away(own_stack, "cassandra"):
            shots = await run.send(orders.make(round(PER_SECOND * AWAY_SECONDS)), PER_SECOND)
            assert shots.count(202) == len(shots)
            assert await run.settled(), "delivery does not wait for Cassandra"
        await _agrees(supervised, run, RECOVER_WITHIN_SECONDS)


async def test_without_kafka_the_door_says_503_and_everything_accepted_arrives_once_it_is_back(
    supervised: SupervisedSystem, own_stack: Stack
) -> None:
    orders = Orders(CONVERSATIONS, ["whatsapp"])
    async with Run(supervised, connections=64) as run:
        await run.meet(orders)
        load = asyncio.create_task(run.send(orders.make(round(PER_SECOND * 2 * AWAY_SECONDS)), PER_SECOND))
        await pass_time(AWAY_SECONDS / 4)  # the load runs
        client = supervised.client(run.token)

        async def say() -> Answer:
            order = orders.make(1)[0]
            body = {"conversation_id": order.conversation_id, "recipient_id": order.recipient_id, "content": "?"}
            run.ledger.uncertain += 1
            return await client.ask("POST", "/v1/messages", body)

        async with _away(own_stack, "kafka"):
            for _ in range(3):
                asked_at = monotonic()
                answer = await say()
                assert monotonic() - asked_at < ANSWER_WITHIN_SECONDS
                assert answer.status == 503, answer
                assert int(answer.header("Retry-After") or 0) > 0
                assert answer.header("Content-Type") == "application/problem+json"
        back_at = monotonic()

        async def is_accepted() -> bool:
            return (await say()).status == 202

        await until("messages are accepted again", RECOVER_WITHIN_SECONDS, is_accepted)
        print(f"accepted again {monotonic() - back_at:.1f} s after Kafka was back")
        shots = await load
        print({status: shots.count(status) for status in {answer.status for answer in shots.answers}})
        assert {answer.status for answer in shots.answers} <= {202, 503}
        await _agrees(supervised, run, RECOVER_WITHIN_SECONDS)
        print(f"all is at rest {monotonic() - back_at:.1f} s after Kafka was back")
