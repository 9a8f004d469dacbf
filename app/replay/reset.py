"""Sets a stopped consumer group to another position of its topics, and first counts the records to read again."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from app.kafka.address import kafka_options
from app.kafka.codec import type_of
from app.replay.span import Span
from app.settings import Settings
from domain.errors import Conflict, InvalidInput, LogUnavailable

REQUEST_TIMEOUT_MS = 10_000
MOST_COUNTED = 5_000_000  # records that are read to say of what types they are


@dataclass(frozen=True, slots=True)
class Move:
    """One partition: ``committed`` is where the group stands, ``target`` where it would begin."""

    topic: str
    partition: int
    committed: int
    target: int

    @property
    def repeated(self) -> int:
        """How many records it would read again."""
        return max(0, self.committed - self.target)

    @property
    def skipped(self) -> int:
        """How many records it would never read."""
        return max(0, self.target - self.committed)


@dataclass(slots=True)
class Plan:
    """``types``: the types of the records that would be read again. ``old``: those of them appended before the memory
    that prevents repetitions.
    """

    group: str
    moves: Sequence[Move]
    types: Counter[tuple[str, str]] = field(default_factory=Counter)
    old: int = 0

    @property
    def repeated(self) -> int:
        return sum(move.repeated for move in self.moves)

    @property
    def skipped(self) -> int:
        return sum(move.skipped for move in self.moves)


class GroupReset:
    """One group of a Kafka. Made by ``open_reset``."""

    def __init__(self, group: str, admin: Any, consumer: Any) -> None:
        self.group = group
        self._admin = admin
        self._consumer = consumer

    async def require_stopped(self) -> None:
        """Raise ``Conflict`` while the group has members: they would overwrite the offsets, or work from old ones."""
        members = [
            member
            for answer in await self._admin.describe_consumer_groups([self.group])
            for group in answer.groups
            for member in group[5]
        ]
        if members:
            raise Conflict(
                f"the group {self.group} is running ({len(members)} members): stop its workers, and wait until their "
                "session is over"
            )

    async def plan(
        self, topics: Sequence[str], *, to_ms: int | None = None, to_offset: int | None = None, oldest_ms: int = 0
    ) -> Plan:
        """Return the consequences of a move to a time (epoch ms) or an offset, for each partition.

        ``topics``: only these; empty: all that the group has committed. ``oldest_ms``: records appended before are
        counted in ``Plan.old``. Raises ``InvalidInput`` for a topic that the group does not read.
        """
        committed = {tp: at.offset for tp, at in (await self._admin.list_consumer_group_offsets(self.group)).items()}
        if unknown := set(topics) - {tp.topic for tp in committed}:
            raise InvalidInput(f"the group {self.group} has committed nothing of {', '.join(sorted(unknown))}", "topic")
        chosen = sorted(tp for tp in committed if not topics or tp.topic in topics)
        if not chosen:
            raise InvalidInput(f"the group {self.group} has committed nothing", "group")
        targets = await self._targets(chosen, to_ms, to_offset)
        plan = Plan(self.group, [Move(tp.topic, tp.partition, committed[tp], targets[tp]) for tp in chosen])
        await self._count(plan, oldest_ms)
        return plan

    async def _targets(
        self, tps: Sequence[TopicPartition], to_ms: int | None, to_offset: int | None
    ) -> Mapping[TopicPartition, int]:
        self._consumer.assign(list(tps))
        begins, ends = await self._consumer.beginning_offsets(tps), await self._consumer.end_offsets(tps)
        if to_ms is None:
            wanted = dict.fromkeys(tps, to_offset or 0)
        else:
            found = await self._consumer.offsets_for_times(dict.fromkeys(tps, to_ms))
            wanted = {tp: ends[tp] if found.get(tp) is None else found[tp].offset for tp in tps}
        return {tp: min(max(wanted[tp], begins[tp]), ends[tp]) for tp in tps}

    async def _count(self, plan: Plan, oldest_ms: int) -> None:
        if not 0 < plan.repeated <= MOST_COUNTED:
            return
        for move in plan.moves:
            if not move.repeated:
                continue
            span = Span(self._consumer, [TopicPartition(move.topic, move.partition)], from_offset=move.target)
            async for record in span.records():
                if record.offset >= move.committed:
                    break
                plan.types[move.topic, type_of(record.value) or "other"] += 1
                plan.old += record.timestamp_ms < oldest_ms

    async def apply(self, plan: Plan) -> None:
        """Commit the targets. Raises ``Conflict`` if the group runs by now."""
        await self.require_stopped()
        tps = [TopicPartition(move.topic, move.partition) for move in plan.moves]
        self._consumer.assign(tps)
        await self._consumer.commit(
            {
                tp: OffsetAndMetadata(move.target, "chat4all replay reset")
                for tp, move in zip(tps, plan.moves, strict=True)
            }
        )


@asynccontextmanager
async def open_reset(settings: Settings, group: str) -> AsyncIterator[GroupReset]:
    """Connect. Raises ``LogUnavailable``."""
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    consumer = AIOKafkaConsumer(**kafka_options(settings), group_id=group, enable_auto_commit=False)
    try:
        await admin.start()
        await consumer.start()
        yield GroupReset(group, admin, consumer)
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka at {settings.kafka} does not answer: {error!r}") from error
    finally:
        await consumer.stop()
        await admin.close()
