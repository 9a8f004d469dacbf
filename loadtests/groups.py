"""The workers' consumer groups by the broker: members, partitions, committed offsets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from app.kafka.address import kafka_options
from app.kafka.topics import Topics, group_of
from app.settings import Settings
from domain.recipients import CHANNELS

_LOOK_SECONDS = 0.2


class NotInTime(Exception):
    """A condition did not come true within its bound."""


async def until(what: str, seconds: float, holds: Callable[[], Awaitable[object]]) -> None:
    """Return once ``holds()`` is true; an error of Kafka means "not yet". Raises ``NotInTime``."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    failure = "it is not so"
    while clock() < deadline:
        try:
            if await holds():
                return
        except (KafkaError, OSError) as error:
            failure = repr(error)
        await asyncio.sleep(_LOOK_SECONDS)
    raise NotInTime(f"{what}: not within {seconds:g} s ({failure})")


@dataclass(frozen=True, slots=True)
class Member:
    """One worker in its group. ``instance``: its static name."""

    instance: str
    partitions: frozenset[TopicPartition]


def inputs_of(role: str, settings: Settings) -> list[str]:
    """Return the input topics of a role."""
    names = Topics(settings.topic_prefix)
    if role in CHANNELS:
        return [names.outbound(role), names.events(role), names.commands(role)]
    return [names.messages, names.status_updates]


class Groups:
    """Asks the broker. ``async with Groups.connected(settings) as groups``."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._admin = admin
        self._consumer = consumer

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: Settings) -> AsyncIterator[Groups]:
        admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=5_000)
        consumer = AIOKafkaConsumer(**kafka_options(settings), request_timeout_ms=5_000)
        try:
            await admin.start()
            await consumer.start()
            yield cls(settings, admin, consumer)
        finally:
            await admin.close()
            await consumer.stop()

    def work_of(self, role: str) -> list[TopicPartition]:
        """Return all partitions of the role's workers."""
        return [
            TopicPartition(topic, n)
            for topic in inputs_of(role, self._settings)
            for n in range(self._settings.partitions)
        ]

    async def members(self, role: str) -> list[Member]:
        """Return the workers of a role with their partitions; empty during a rebalance."""
        group = group_of(role, self._settings.topic_prefix)
        found: list[Any] = (await self._admin.describe_consumer_groups([group]))[0].groups
        _, _, state, _, _, members, *_ = found[0]
        if state != "Stable":
            return []
        return [self._member(raw) for raw in members]

    @staticmethod
    def _member(raw: Any) -> Member:
        member_id, _, _, _, assignment = raw
        decoded = ConsumerProtocolMemberAssignment.decode(assignment) if assignment else None
        # the broker names a static member <instance>-<uuid>
        return Member(str(member_id)[:-37], frozenset(decoded.partitions() if decoded else ()))

    async def is_complete(self, role: str, workers: int) -> bool:
        """Return whether ``workers`` workers of ``role`` hold all its work between them, each some of it."""
        members = await self.members(role)
        if len(members) != workers:
            return False
        held = [member.partitions for member in members]
        return frozenset(self.work_of(role)) <= frozenset().union(*held) and all(held)

    async def committed(self, role: str) -> dict[TopicPartition, int]:
        """Return the committed offsets of a role's work; 0 where there is none yet."""
        group = group_of(role, self._settings.topic_prefix)
        found = await self._admin.list_consumer_group_offsets(group)
        return {tp: max(0, found[tp].offset) if tp in found else 0 for tp in self.work_of(role)}

    async def ends(self, role: str) -> Mapping[TopicPartition, int]:
        """Return where the topics of a role's work end."""
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(self.work_of(role))
        return ends

    async def lag(self, role: str) -> int:
        """Return how many records of a role's work are not committed."""
        ends, committed = await self.ends(role), await self.committed(role)
        return sum(max(0, end - committed[tp]) for tp, end in ends.items())
