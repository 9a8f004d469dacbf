"""The audit reads all topics of a partition number: queues before requests, and these before facts."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from app import audit_log
from app.audit_books import Books, EntryKind, attempts_kind, books_of, queue_kind, request_kind
from app.audit_log import PartitionReader, committed_of
from app.kafka.codec import encode
from app.kafka.topics import Topics, group_of
from app.settings import Settings
from domain import routing
from domain.attempts import Attempt, QueuedDelivery
from domain.ports import LogPosition
from domain.recipients import CHANNELS
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted
from domain.status import MessageState
from support.values import changed
from tables import attempts, message_state, queue
from tables.loaders import LOADERS
from tests.functional.test_replay_span import FakeConsumer, Raw

AT, NUMBER = 1_763_848_800_000, 1
NAMES = Topics()


def requested(name: str, offset: int) -> DeliveryRequested:
    message = MessageAccepted(name, "c-1", "ana", "whatsapp:+5511999990000", "hi")
    return routing.decide(message, LogPosition(AT, offset)).requests[0][1]


def logs() -> dict[TopicPartition, list[Raw]]:
    """Four messages: the first is queued, the second is lost. The requests of the others are not committed yet; the
    third is in the queue all the same.

    The second has an outcome on record, with no fact, and its row in the table of states.
    """
    topics = [NAMES.messages, NAMES.status_updates, NAMES.dead_letters, NAMES.changelog("core", "message_state")]
    topics += [
        topic
        for c in CHANNELS
        for topic in (NAMES.outbound(c), *(NAMES.changelog(c, name) for name in ("queue", "attempts")))
    ]
    found: dict[TopicPartition, list[Raw]] = {TopicPartition(topic, NUMBER): [] for topic in topics}
    for offset, name in enumerate(("m-0", "m-1", "m-2", "m-3")):
        request = requested(name, offset)
        accepted = MessageAccepted(name, "c-1", "ana", "whatsapp:+5511999990000", "hi")
        (fact,) = routing.decide(accepted, LogPosition(AT, offset)).facts
        found[TopicPartition(NAMES.messages, NUMBER)].append(Raw(offset, AT, b"c-1", encode(accepted)))
        found[TopicPartition(NAMES.status_updates, NUMBER)].append(Raw(offset, AT, b"c-1", encode(fact)))
        found[TopicPartition(NAMES.outbound("whatsapp"), NUMBER)].append(Raw(offset, AT, b"c-1", encode(request)))
        if name in ("m-0", "m-2"):
            row = queue.dump(QueuedDelivery.of(request, offset, AT, AT + 1), encode(request))
            key = queue.delivery_row_key(queue.chain_prefix("default", "c-1", request.recipient_id), offset)
            changelog = TopicPartition(NAMES.changelog("whatsapp", "queue"), NUMBER)
            first = len(found[changelog])
            found[changelog] += [Raw(first, AT, key, row), Raw(first + 1, AT, b"r\0gone", row)]
    outcome = attempts.dump(Attempt(1, "failed", AT))
    found[TopicPartition(NAMES.changelog("whatsapp", "attempts"), NUMBER)].append(Raw(0, AT, b"m-1", outcome))
    state = message_state.dump(message_state.Row(MessageState(AT), "c-1", "whatsapp"))
    found[TopicPartition(NAMES.changelog("core", "message_state"), NUMBER)].append(Raw(0, AT, b"m-1", state))
    letter = DeadLetter("whatsapp-outbound", NUMBER, 1, "expired", "", b"c-1", encode(requested("m-1", 1)), AT)
    found[TopicPartition(NAMES.dead_letters, NUMBER)].append(Raw(0, AT, b"c-1", encode(letter)))
    return found


async def test_a_partition_is_read_whole_in_memory_and_in_buckets() -> None:
    there = logs()
    consumer = FakeConsumer(there, {tp: len(records) for tp, records in there.items()})
    committed = {c: {TopicPartition(NAMES.outbound(c), NUMBER): SimpleNamespace(offset=2)} for c in CHANNELS}
    reader = PartitionReader(changed(Settings(), {}), consumer, NUMBER, committed)
    facts = await reader.facts()
    assert (facts.number, facts.records, facts.has_lost_facts) == (NUMBER, 19, False)
    kinds = [entry.kind async for entry in reader.entries()]
    whatsapp = CHANNELS.index("whatsapp")
    assert kinds.count(request_kind(whatsapp)) == 4
    assert kinds.count(queue_kind(whatsapp)) == 4
    turns = [queue_kind(whatsapp), request_kind(whatsapp), attempts_kind(whatsapp), EntryKind.FACT]
    assert [kinds.index(kind) for kind in turns] == sorted(kinds.index(kind) for kind in turns)
    topics = [NAMES.outbound(channel) for channel in CHANNELS]
    make = partial(Books, facts, CHANNELS, LOADERS, topics)
    for most_records in (1_000, 4):
        found: list[str] = []
        async for books in books_of(facts, reader.entries(), make, LOADERS, most_records=most_records):
            for channel in books.channels:
                found += [f"{one.view} {one.message_id}" for one in channel.differences(books.history)]
        assert found == ["queue m-1", "dead-letters m-1", "attempts m-1"]


async def test_a_coordinator_that_does_not_know_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka hides the error of the answer: without another look no request would count as committed."""
    monkeypatch.setattr(audit_log, "ASK_AGAIN_SECONDS", 0.0)
    there = {TopicPartition(NAMES.outbound("whatsapp"), NUMBER): SimpleNamespace(offset=2)}
    answers = {group_of("whatsapp", ""): [{}, there]}

    async def ask(group: str) -> dict[TopicPartition, SimpleNamespace]:
        left = answers.get(group, [])
        return left.pop(0) if left else {}

    found = await committed_of(changed(Settings(), {}), SimpleNamespace(list_consumer_group_offsets=ask))
    assert found["whatsapp"] == there
    assert found["telegram"] == {}, "a group that has committed nothing"
