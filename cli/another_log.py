"""Whether the histories in Cassandra were written from another log than the one in Kafka (ADR 135)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.cassandra import cassandra_config
from app.kafka.address import kafka_options
from app.kafka.topics import Topics
from app.settings import Settings
from cli.errors import CannotMigrate
from domain.errors import LogUnavailable
from storage.cassandra.log_reach import last_offsets
from storage.cassandra.session import CassandraSession

Offsets = Mapping[int, int]


def beyond(histories: Offsets, ends: Offsets) -> str:
    """Return what shows that the histories are not of this log; empty if nothing does.

    ``histories``: the offset of each partition's last message in Cassandra, read first. ``ends``: the offset after
    each partition's last message in Kafka; a partition left out has none.
    """
    for partition, offset in sorted(histories.items()):
        end = ends.get(partition, 0)
        if offset >= end:
            return f"Cassandra has a message at offset {offset:,} of partition {partition}, where Kafka ends at {end:,}"
    return ""


async def ends_of_messages(settings: Settings, seconds: float) -> dict[int, int]:
    """Return the offset after the last message of each partition. Raises ``LogUnavailable``."""
    topic = Topics(settings.topic_prefix).messages
    consumer = AIOKafkaConsumer(**kafka_options(settings), enable_auto_commit=False)
    try:
        async with asyncio.timeout(seconds):
            await consumer.start()
            if topic not in await consumer.topics():
                return {}
            partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
            return {tp.partition: end for tp, end in (await consumer.end_offsets(partitions)).items()}
    except (KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailable(f"the ends of {topic} cannot be read: {error!r}") from error
    finally:
        await consumer.stop()


async def refuse_another_log(settings: Settings, seconds: float) -> None:
    """Raise ``CannotMigrate`` if the keyspace has the histories of another log.

    Raises ``LogUnavailable`` and ``StoreUnavailable``.
    """
    async with CassandraSession(cassandra_config(settings)) as session:
        await session.connected(seconds)
        histories = await last_offsets(session)
    if what := beyond(histories, await ends_of_messages(settings, seconds)):
        raise CannotMigrate(
            f"keyspace {settings.keyspace} has the histories of another log: {what}. Histories are in the order of the"
            " log, so the two cannot be one: set CHAT4ALL_KEYSPACE to a new name, or CHAT4ALL_KAFKA and"
            " CHAT4ALL_TOPIC_PREFIX to what the histories were written from (docs/operations.md, Another log)"
        )
