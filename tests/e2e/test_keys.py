"""A message with an idempotency key that is in the log more than once is sent once, and shown once, everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.audit import audit
from app.kafka.codec import decode, encode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from app.settings import Settings
from domain.ids import keyed_id
from domain.records import MessageAccepted, StatusChanged
from loadtests.groups import Groups, until
from loadtests.http_client import Client
from loadtests.orders import signed_up
from loadtests.system import System
from tables.loaders import LOADERS

pytestmark = pytest.mark.real

LIFE_SECONDS = 30.0
CONVERSATION = "said-twice"


async def send(client: Client, key: str, content: str) -> Any:
    body = {"conversation_id": CONVERSATION, "recipient_id": "telegram:@maria_2", "content": content}
    answer = await client.ask("POST", "/v1/messages", body, headers={"Idempotency-Key": key})
    assert answer.status == 202, answer
    return answer.json()


async def listed(client: Client) -> Any:
    return (await client.ask("GET", f"/v1/conversations/{CONVERSATION}/messages?limit=100")).json()["messages"]


async def write_again(settings: Settings, *messages: MessageAccepted) -> None:
    """Put ``messages`` on the log, as another API process would that had not seen them."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        key = CONVERSATION.encode()
        partition = partition_for(key, settings.partitions)
        for message in messages:
            topic = Topics(settings.topic_prefix).messages
            await producer.send_and_wait(topic, encode(message), key=key, partition=partition)
    finally:
        await producer.stop()


async def sent_facts(settings: Settings) -> dict[str, list[StatusChanged]]:
    """Return the SENT facts of the conversation by message, all that are on ``status-updates``."""
    topic = Topics(settings.topic_prefix).status_updates
    tp = TopicPartition(topic, partition_for(CONVERSATION.encode(), settings.partitions))
    found: dict[str, list[StatusChanged]] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        await consumer.seek_to_beginning(tp)
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                ours = [record.value for record in records if record.key == CONVERSATION.encode()]
                for change in (decode(value, StatusChanged) for value in ours):
                    if change.status == "SENT":
                        found.setdefault(change.message_id, []).append(change)
    finally:
        await consumer.stop()
    return found


async def test_a_keyed_message_that_is_in_the_log_more_than_once_is_sent_and_shown_once(system: System) -> None:
    settings = system.settings
    client = system.client(await signed_up(settings.host, settings.port))
    first = await send(client, "early", "said early")
    user_id = (await client.ask("GET", "/v1/users/me")).json()["user_id"]
    early = MessageAccepted(first["message_id"], CONVERSATION, user_id, "telegram:@maria_2", "said early")
    raced = MessageAccepted(keyed_id(user_id, "raced"), CONVERSATION, user_id, "telegram:@maria_2", "raced")
    ids = [early.message_id, raced.message_id]

    await write_again(settings, raced, raced, early)

    async def all_read() -> bool:
        return [message["status"] for message in await listed(client)] == ["READ", "READ"]

    await until("both are READ", LIFE_SECONDS, all_read)
    await write_again(settings, early, raced)  # long after

    async with Groups.connected(settings) as groups:

        async def all_worked_off() -> bool:
            facts = await sent_facts(settings)
            reported = [len(facts.get(message_id, ())) for message_id in ids]
            return min(reported) >= 3 and sum([await groups.lag(role) for role in system.counts]) == 0

        await until("all five records were worked off", LIFE_SECONDS, all_worked_off)
    for changes in (await sent_facts(settings)).values():
        assert len({(change.at_ms, change.attempt, change.provider_id) for change in changes}) == 1
    assert [message["message_id"] for message in await listed(client)] == ids
    assert await send(client, "early", "said early") == first
    system.apis[0].kill()
    await system.revive()
    assert await send(client, "early", "said early") == first
    other = {"conversation_id": CONVERSATION, "recipient_id": "telegram:@maria_2", "content": "something else"}
    answer = await client.ask("POST", "/v1/messages", other, headers={"Idempotency-Key": "early"})
    assert answer.status == 422, answer
    assert (await listed(client))[0]["timestamp"] == first["timestamp"]
    report = await audit(settings, LOADERS)
    assert report.is_clean, str(report)
