"""Whether the histories in Cassandra were written from another log than the one in Kafka (ADR 135)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.kafka.address import kafka_options
from app.kafka.topics import Topics
from app.settings import Settings
from cli.errors import CannotMigrate
from cli.migration import with_cassandra
from domain.errors import LogUnavailable
from storage.cassandra.log_reach import forget_last_offset, last_offsets
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


async def refuse_another_log(settings: Settings, wait_seconds: float, *, is_tail_lost: bool = False) -> list[str]:
    """Raise ``CannotMigrate`` if the keyspace has the histories of another log.

    ``is_tail_lost``: it is the same log, which has lost its last records; the histories go on from where it ends.
    Return a sentence for each partition that this changed. Raises ``LogUnavailable`` and ``StoreUnavailable`` after
    ``wait_seconds``.
    """

    async def compare(session: CassandraSession) -> list[str]:
        return await _compare(settings, session, wait_seconds, is_tail_lost=is_tail_lost)

    return await with_cassandra(settings, wait_seconds, compare)


async def _compare(settings: Settings, session: CassandraSession, seconds: float, *, is_tail_lost: bool) -> list[str]:
    histories = await last_offsets(session)
    ends = await ends_of_messages(settings, seconds)
    if is_tail_lost:
        beyond_it = {n: offset for n, offset in histories.items() if offset >= ends.get(n, 0)}
        for partition, offset in beyond_it.items():
            await forget_last_offset(session, partition, offset)
        return [beyond({n: offset}, ends) for n, offset in sorted(beyond_it.items())]
    if what := beyond(histories, ends):
        raise CannotMigrate(
            f"keyspace {settings.keyspace} has the histories of another log: {what}. Histories are in the order of the"
            " log, so the two cannot be one: set CHAT4ALL_KEYSPACE to a new name, or CHAT4ALL_KAFKA and"
            " CHAT4ALL_TOPIC_PREFIX to what the histories were written from. If it is the same log and has lost its"
            " last records: `chat4all migrate --lost-tail` (docs/operations.md, Another log)"
        )
    return []
