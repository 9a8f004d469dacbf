"""Creates the topics of ``app/kafka/topics.py`` and checks existing ones. Run by ``chat4all migrate``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from app.kafka.address import kafka_options
from app.kafka.topics import TopicSpec, all_topics
from app.settings import Settings
from domain.errors import LogUnavailable

TIMEOUT_SECONDS = 30.0
_OF_THE_TOPIC = 1  # a config's source: set on the topic itself (DYNAMIC_TOPIC_CONFIG)


class TopicMismatch(Exception):
    """A topic exists with another number of partitions. Changing it would reorder conversations."""


@dataclass(frozen=True, slots=True)
class TopicsMade:
    """The names of the created topics and of the existing ones.

    ``changed``: corrected settings, ``warnings``: refused or risky ones; each a sentence.
    """

    created: tuple[str, ...]
    present: tuple[str, ...]
    changed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


async def ensure_topics(settings: Settings) -> TopicsMade:
    """Create missing topics and correct the settings of the rest. Safe to repeat, also concurrently.

    Of existing topics only the settings of ``app/kafka/topics.py`` are changed, and only where they differ. Raises
    ``TopicMismatch``; ``LogUnavailable`` if Kafka does not answer within ``TIMEOUT_SECONDS``.
    """
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=int(TIMEOUT_SECONDS * 1000))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await admin.start()
            return await _ensure(admin, settings, all_topics(settings))
    except (KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailable(f"Kafka at {settings.kafka} does not answer: {error!r}") from error
    finally:
        await admin.close()


async def _ensure(admin: Any, settings: Settings, specs: list[TopicSpec]) -> TopicsMade:
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
    present = {spec.name: spec for spec in specs if spec.name in existing}
    changed: list[str] = []
    warnings: list[str] = []
    if present:
        for found in await admin.describe_topics(list(present)):
            warnings += _faults_of(present[found["topic"]], found["partitions"])
        await _correct(admin, present, changed, warnings)
    if settings.replication_factor == 1 and await _is_cluster(admin, settings.kafka):
        warnings.append(
            "CHAT4ALL_REPLICATION_FACTOR is 1: a broker that is lost takes accepted messages with it; "
            "set it to 3, and CHAT4ALL_MIN_INSYNC_REPLICAS to 2, before the topics are made"
        )
    return TopicsMade(tuple(created), tuple(present), tuple(changed), tuple(warnings))


def _faults_of(spec: TopicSpec, partitions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the risks of a topic's settings. Raises ``TopicMismatch``."""
    if len(partitions) != spec.partitions:
        raise TopicMismatch(
            f"topic {spec.name} has {len(partitions)} partitions and the settings say {spec.partitions}; "
            "the number is fixed when the topic is made: correct CHAT4ALL_PARTITIONS"
        )
    fewest = min(len(partition["replicas"]) for partition in partitions)
    if fewest < spec.replication_factor:
        return [f"topic {spec.name} has {fewest} replicas and the settings say {spec.replication_factor}"]
    return []


async def _correct(admin: Any, specs: Mapping[str, TopicSpec], changed: list[str], warnings: list[str]) -> None:
    """Correct differing settings. The request replaces all settings of a topic, so it repeats those of the
    operator.
    """
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in specs]
    resources = []
    for response in await admin.describe_configs(wanted):
        for code, reason, _, name, entries in response.resources:
            if code:
                warnings.append(f"the settings of topic {name} cannot be read: {_reason(code, reason)}")
                continue
            own = {entry[0]: entry[1] for entry in entries if entry[3] == _OF_THE_TOPIC}
            effective = {entry[0]: entry[1] for entry in entries}
            ours = specs[name].config
            differing = {key: value for key, value in ours.items() if effective.get(key) != value}
            if differing:
                resources.append(ConfigResource(ConfigResourceType.TOPIC, name, {**own, **differing}))
                changes = ", ".join(f"{key} {effective.get(key)} → {value}" for key, value in differing.items())
                changed.append(f"topic {name}: {changes}")
    if not resources:
        return
    for response in await admin.alter_configs(resources):
        for code, reason, _, name in response.resources:
            if code:
                changed[:] = [sentence for sentence in changed if not sentence.startswith(f"topic {name}: ")]
                warnings.append(f"Kafka refuses the settings of topic {name}: {_reason(code, reason)}")


def _reason(code: int, reason: str | None) -> str:
    return reason or for_code(code).__name__


async def _is_cluster(admin: Any, bootstrap: str) -> bool:
    """Return whether this is more than a broker of one's own on this machine."""
    hosts = {address.strip().rpartition(":")[0].strip("[]") for address in bootstrap.split(",")}
    if not all(map(_is_here, hosts)):
        return True
    return len((await admin.describe_cluster())["brokers"]) > 1


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
