"""Speed is not bought with durability: every producer waits for all in-sync replicas, and a 202 for the producer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from app.kafka import batch_producer
from app.kafka.batch_producer import BatchProducer
from app.kafka.topics import all_topics
from app.settings import Settings
from domain.ports import Appended
from domain.records import MessageAccepted
from support.api import Api
from support.waiting import stays, until


async def test_the_one_way_into_kafka_waits_for_all_replicas_and_writes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Producer:
        def __init__(self, **options: object) -> None:
            given.update(options)

        async def start(self) -> None: ...

    monkeypatch.setattr(batch_producer, "AIOKafkaProducer", Producer)
    await BatchProducer("k:1", client_id="c").start()
    assert (given["acks"], given["enable_idempotence"]) == ("all", True)
    assert "linger_ms" not in given  # records gather while a batch is on its way, so an idle accept waits for nothing


def test_a_topic_asks_for_as_many_replicas_in_sync_as_the_settings_say() -> None:
    topics = all_topics(Settings(min_insync_replicas=2, replication_factor=3))
    assert {topic.config["min.insync.replicas"] for topic in topics} == {"2"}


@pytest.mark.parametrize("recipient", [{"conversation_id": "c-1"}, {"recipient_id": "whatsapp:+5511999990000"}])
async def test_a_202_comes_after_the_acknowledgement_and_not_before(api: Api, recipient: dict[str, str]) -> None:
    """Also where the first message of a direct conversation is written beside it."""
    token = await api.somebody()
    append, acknowledged, asked = api.log.append, asyncio.Event(), asyncio.Event()

    async def held(message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        asked.set()
        await acknowledged.wait()
        return await append(message, headers)

    api.log.append = held  # type: ignore[method-assign]
    answer = asyncio.create_task(api.call("POST", "/v1/messages", {**recipient, "content": "hi"}, token))
    await until(asked.is_set)
    await stays(lambda: not answer.done())
    acknowledged.set()
    assert (await answer).status == 202
    assert len(api.log.records) == 1
