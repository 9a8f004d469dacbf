"""The topics on a real broker: what an operator set stays, what is ours is corrected, and refusals are told."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app.kafka.batch_producer import WrongPartitions
from app.kafka.topic_admin import TopicMismatch, TopicsMade, ensure_topics
from app.kafka.topics import all_topics
from app.settings import Settings
from domain.recipients import CHANNELS
from loadtests.system import Servers
from storage.cassandra.driver_session import CassandraConfig
from support.values import NO_ACCOUNTS
from support.waiting import until
from web.server import run

pytestmark = pytest.mark.real


@pytest.fixture
def settings(stack: Servers) -> Settings:
    return Settings(kafka=stack.kafka_bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=2)


@pytest.fixture
async def admin(settings: Settings) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    yield admin
    await admin.close()


# messages and traces, and for each channel its requests, its commands and what people send
KEPT_AS_LONG_AS_MESSAGES = 2 + 3 * len(CHANNELS)


async def migrate(settings: Settings) -> TopicsMade:
    """Migrate, once the broker tells of all topics that were made before."""
    found: list[TopicsMade] = []

    async def all_are_told() -> bool:
        found.append(await ensure_topics(settings))
        return len(found[-1].present) == len(all_topics(settings))

    await until(all_are_told, 30)
    return found[-1]


async def set_config(admin: AIOKafkaAdminClient, topic: str, **config: str) -> None:
    """Set these and nothing else, as ``kafka-configs`` would; return once the broker tells of them."""
    named = {name.replace("_", "."): value for name, value in config.items()}
    (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, named)])
    assert [code for code, *_ in answer.resources] == [0]

    async def is_told() -> bool:
        return named.items() <= (await config_of(admin, topic)).items()

    await until(is_told)


async def config_of(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((_, _, _, _, entries),) = answer.resources
    return {entry[0]: entry[1] for entry in entries}


async def test_an_operators_own_settings_of_a_topic_survive_every_migration(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    await migrate(settings)
    topic = f"{settings.topic_prefix}messages"
    await set_config(admin, topic, segment_bytes="7777777", message_timestamp_type="CreateTime")
    made = await ensure_topics(settings)
    found = await config_of(admin, topic)
    assert found["segment.bytes"] == "7777777"
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["retention.ms"] == str(7 * 86_400_000)
    assert [sentence for sentence in made.changed if "CreateTime → LogAppendTime" in sentence] == list(made.changed)
    assert (await ensure_topics(settings)).changed == ()
    again = await ensure_topics(replace(settings, messages_retention_days=8))
    assert len(again.changed) == KEPT_AS_LONG_AS_MESSAGES
    assert (await config_of(admin, topic))["segment.bytes"] == "7777777"


async def test_what_kafka_refuses_is_told(settings: Settings) -> None:
    await migrate(settings)
    made = await ensure_topics(replace(settings, messages_retention_days=10**15))
    assert len(made.warnings) == KEPT_AS_LONG_AS_MESSAGES
    assert all("Kafka refuses the settings of topic" in warning for warning in made.warnings)


async def test_the_api_ends_where_the_topics_have_other_partitions_than_its_settings(
    settings: Settings, cassandra: CassandraConfig, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate(settings)
    with pytest.raises(TopicMismatch):
        await ensure_topics(replace(settings, partitions=3))
    wrong = replace(
        settings,
        accounts=NO_ACCOUNTS,
        partitions=3,
        port=0,
        cassandra=cassandra.hosts,
        cassandra_port=cassandra.port,
        keyspace=cassandra.keyspace,
        jwt_secret="s" * 48,
    )
    with caplog.at_level(logging.CRITICAL), pytest.raises(WrongPartitions):
        async with asyncio.timeout(30):
            await run(wrong, asyncio.Event())
    assert "messages has 2 partitions and the settings say 3" in caplog.text


async def test_a_single_copy_is_warned_of_unless_the_broker_is_ones_own(settings: Settings) -> None:
    assert (await migrate(settings)).warnings == ()
    three = await ensure_topics(replace(settings, replication_factor=3))
    assert all("has 1 replicas and the settings say 3" in warning for warning in three.warnings)
    assert three.warnings
