"""What cannot be processed goes to ``dead-letters`` whole, with its reason and place, and the stream goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.kafka.codec import decode, encode
from app.kafka.topics import Topics
from app.settings import Settings
from domain.errors import MalformedRecord
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted, Record, StatusChanged
from loadtests.groups import until
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.system import System

pytestmark = pytest.mark.real

ARRIVES_WITHIN_SECONDS = 20.0
NOISE_BYTES = 1_000_000  # a broker takes records of up to 1 MiB

_MESSAGE = MessageAccepted("poison", "poisoned", "u", "whatsapp:+5511999990000", "hi")
_REQUEST = DeliveryRequested("poison", "poisoned", "u", "whatsapp:+5511999990000", "hi", None, 1, 1)
_CHANGE = StatusChanged("poison", "poisoned", "SENT", 1, 1, 1, "whatsapp")


@dataclass(frozen=True)
class Poison:
    """A value that its topic's agent cannot process; ``detail``: what the dead letter says of it."""

    label: str
    value: bytes | None
    detail: str


def _variants(sane: Record) -> list[Poison]:
    """Return the poison for the topic that carries records like ``sane``."""
    document = orjson.loads(encode(sane))
    incomplete = {name: value for name, value in document.items() if name != "message_id"}
    return [
        Poison("not JSON", b"\xff{nonsense", "not JSON"),
        Poison("an array", b"[1,2]", "not a JSON object"),
        Poison("another type", orjson.dumps({**document, "type": "Other"}), "type"),
        Poison("a field is missing", orjson.dumps(incomplete), "'message_id' is missing"),
        Poison("a field of another type", orjson.dumps({**document, "conversation_id": 5}), "'conversation_id'"),
        Poison("an unknown version", orjson.dumps({**document, "version": 99}), "unknown version 99"),
        Poison("noise", os.urandom(NOISE_BYTES), f"{NOISE_BYTES} bytes"),
        Poison("no value", None, "no value"),
    ]


class DeadLetters:
    """Reads ``dead-letters`` from its begin; letters by where their record came from."""

    def __init__(self, settings: Settings) -> None:
        self._topic = Topics(settings.topic_prefix).dead_letters
        self._settings = settings
        self.found: dict[tuple[str, int, int], DeadLetter] = {}

    async def __aenter__(self) -> DeadLetters:
        tps = [TopicPartition(self._topic, n) for n in range(self._settings.partitions)]
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._settings.kafka, auto_offset_reset="earliest")
        await self._consumer.start()
        self._consumer.assign(tps)
        await self._consumer.seek_to_beginning(*tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def have(self, places: set[tuple[str, int, int]]) -> bool:
        """Read on; return whether there is a letter from each of ``places``."""
        for records in (await self._consumer.getmany(timeout_ms=500)).values():
            for record in records:
                letter = decode(record.value, DeadLetter)
                self.found[letter.topic, letter.partition, letter.offset] = letter
        return places <= self.found.keys()


@pytest.mark.parametrize(
    ("name", "sane"),
    [("messages", _MESSAGE), ("whatsapp-outbound", _REQUEST), ("status-updates", _CHANGE)],
    ids=["messages", "whatsapp-outbound", "status-updates"],
)
async def test_poison_arrives_on_dead_letters_whole_and_the_stream_goes_on(
    system: System, name: str, sane: Record
) -> None:
    settings = system.settings
    topic = settings.topic_prefix + name
    sent: dict[tuple[str, int, int], Poison] = {}
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, max_request_size=2 * NOISE_BYTES)
    await producer.start()
    try:
        for n, poison in enumerate(_variants(sane)):
            partition = n % settings.partitions
            written = await producer.send_and_wait(topic, poison.value, key=b"poisoned", partition=partition)
            sent[topic, partition, written.offset] = poison
    finally:
        await producer.stop()

    async with DeadLetters(settings) as letters:
        await until("every poison is a dead letter", ARRIVES_WITHIN_SECONDS, lambda: letters.have(set(sent)))
        for place, poison in sent.items():
            letter = letters.found[place]
            assert letter.value == poison.value, poison.label
            assert letter.key == b"poisoned", poison.label
            assert letter.reason == MalformedRecord.code, poison.label
            assert poison.detail in letter.detail, poison.label

    async with Run(system) as run:
        await run.send(Orders(10 * settings.partitions, ["whatsapp"]).one_for_each_conversation())
        assert await run.settled()
        balance = run.balance()
        assert balance.is_balanced, str(balance)
        assert balance.read == 10 * settings.partitions
        await run.at_rest()
