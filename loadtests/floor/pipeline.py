"""The bare pipeline: a role's records in and out through aiokafka, without Faust, tables or Cassandra.

    python -m loadtests.floor.pipeline ROLE KAFKA TOPIC_PREFIX

``core`` writes ACCEPTED, sends each message to its channel and folds the facts in memory. A channel answers each
request with SENT, DELIVERED and READ. Inputs are committed after the outputs are acknowledged, as our workers do.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition

from app.kafka.topics import Topics

BATCH_RECORDS = 500
COMMIT_SECONDS = 0.5
IDLE_MS = 200
AT_WORK = "at work"
WORDS = ("SENT", "DELIVERED", "READ")


class Output(NamedTuple):
    """A record to write."""

    topic: str
    value: bytes


class Role:
    """The topics of a role. ``states``: the fold of the facts; the messages that are READ leave it."""

    def __init__(self, name: str, topics: Topics) -> None:
        self.name = name
        self._topics = topics
        is_core = name == "core"
        self.inputs = [topics.messages, topics.status_updates] if is_core else [topics.outbound(name)]
        self.states: dict[str, str] = {}

    def outputs(self, topic: str, record: Any) -> Iterable[Output]:
        """Return the records that follow from one; ``record`` has ``value``, ``timestamp`` and ``offset``."""
        document = orjson.loads(record.value)
        if topic == self._topics.messages:
            request = {**document, "accepted_at_ms": record.timestamp, "position": record.offset}
            channel = document["recipient_id"].partition(":")[0]
            return (self._fact(request, "ACCEPTED"), Output(self._topics.outbound(channel), orjson.dumps(request)))
        if topic == self._topics.status_updates:
            self._fold(document)
            return ()
        return [self._fact(document, word) for word in WORDS]

    def _fact(self, request: dict[str, Any], word: str) -> Output:
        fact = {
            "type": "StatusChanged",
            "version": 1,
            "message_id": request["message_id"],
            "conversation_id": request["conversation_id"],
            "status": word,
            "attempt": 1,
            "provider_id": None if word == "ACCEPTED" else request["message_id"],
            "accepted_at_ms": request["accepted_at_ms"],
            "position": request["position"],
            "at_ms": int(time.time() * 1000),
        }
        return Output(self._topics.status_updates, orjson.dumps(fact))

    def _fold(self, fact: dict[str, Any]) -> None:
        if fact["status"] == WORDS[-1]:
            self.states.pop(fact["message_id"], None)
        else:
            self.states[fact["message_id"]] = fact["status"]


async def work(role: Role, consumer: Any, producer: Any) -> None:
    """Read, write, wait for the acknowledgements, commit every ``COMMIT_SECONDS``; for ever."""
    clock = asyncio.get_running_loop().time
    committed_at, is_due = clock(), False
    while True:
        batches = await consumer.getmany(timeout_ms=IDLE_MS, max_records=BATCH_RECORDS)
        sent = [
            await producer.send(output.topic, output.value, record.key)
            for tp, records in batches.items()
            for record in records
            for output in role.outputs(tp.topic, record)
        ]
        await asyncio.gather(*sent)
        is_due |= bool(batches)
        if is_due and clock() - committed_at >= COMMIT_SECONDS:
            await consumer.commit()
            committed_at, is_due = clock(), False


class _Announced(ConsumerRebalanceListener):  # type: ignore[misc]
    """Says on standard output that the partitions are there."""

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None: ...

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if assigned:
            print(AT_WORK, flush=True)


async def run(name: str, kafka: str, prefix: str) -> None:
    """Work until SIGTERM."""
    role = Role(name, Topics(prefix))
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        group_id=f"{prefix}bare-{name}",
        enable_auto_commit=False,
        auto_offset_reset="latest",
    )
    consumer.subscribe(role.inputs, listener=_Announced())
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    async with consumer, producer:
        task = asyncio.create_task(work(role, consumer, producer))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))
