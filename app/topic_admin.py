"""Creates the topics of ``app/topics.py`` and checks those that exist. Run by ``chat4all migrate``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from app.settings import Settings
from app.topics import TopicSpec, all_topics
from domain.errors import LogUnavailable

TIMEOUT_SECONDS = 30.0


class TopicMismatch(Exception):
    """A topic exists with another number of partitions, which cannot be changed without reordering conversations."""


@dataclass(frozen=True, slots=True)
class TopicsMade:
    """The names of the topics that were created, and of those that were there."""

    created: tuple[str, ...]
    present: tuple[str, ...]


async def ensure_topics(settings: Settings) -> TopicsMade:
    """Create what is missing and bring the settings of the rest up to date. Safe to call twice, and at once.

    Raises ``TopicMismatch``; ``LogUnavailable`` if Kafka does not answer within ``TIMEOUT_SECONDS``.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=int(TIMEOUT_SECONDS * 1000))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await admin.start()
            return await _ensure(admin, all_topics(settings))
    except (KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailable(f"Kafka at {settings.kafka} does not answer: {error!r}") from error
    finally:
        await admin.close()


async def _ensure(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> TopicsMade:
    existing = set(await admin.list_topics())
    missing = [spec for spec in specs if spec.name not in existing]
    created = []
    if missing:
        new = [NewTopic(s.name, s.partitions, s.replication_factor, topic_configs=dict(s.config)) for s in missing]
        answer = await admin.create_topics(new)
        for name, code, *reason in answer.topic_errors:
            if code == 0:
                created.append(name)
            elif code != TopicAlreadyExistsError.errno:
                raise for_code(code)(f"cannot create topic {name}: {reason}")
    present = [spec for spec in specs if spec.name in existing]
    for found in await admin.describe_topics([spec.name for spec in present]) if present else ():
        spec = next(spec for spec in present if spec.name == found["topic"])
        if len(found["partitions"]) != spec.partitions:
            raise TopicMismatch(
                f"topic {spec.name} has {len(found['partitions'])} partitions and the settings say {spec.partitions}; "
                "the number is fixed when the topic is made: correct CHAT4ALL_PARTITIONS"
            )
    if present:
        resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name, dict(spec.config)) for spec in present]
        await admin.alter_configs(resources)
    return TopicsMade(tuple(created), tuple(spec.name for spec in present))
