"""Measure the cost for an API process of a message to many and to one: CPU and memory, without servers.

    python -m loadtests.wide_messages [--recipients 256] [--messages 50]

The records of messages and of all that happens to them (ACCEPTED, then SENT, DELIVERED and READ for each address) go
through the tailer into the memory of recent messages, as they do in an API process. Memory is what ``tracemalloc``
finds. A page of the history is made of the same facts as Cassandra returns them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.kafka.codec import encode
from domain.ids import uuid7
from domain.ports import LogPosition, StoredMessage
from domain.records import MessageAccepted, StatusChanged
from domain.status import Fact, fold
from storage.cassandra.facts import encode_fact, state_of
from web.contract.response_bodies import message_document
from web.history.log_intake import LogIntake
from web.history.recent import RecentMessages

NOW_MS = 1_763_848_800_000
_BATCH = 500
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Record:
    """As much of a consumer's record as the tailer looks at."""

    value: bytes
    offset: int
    timestamp: int
    topic: str = "messages"
    partition: int = 0


def _id(number: int) -> str:
    return uuid7(NOW_MS + number, number.to_bytes(10, "big"))


def messages_to(recipients: int, count: int) -> list[MessageAccepted]:
    """Return ``count`` messages of one conversation, each to ``recipients`` addresses, text of 40 bytes."""
    users = [_id(1_000_000 + n) for n in range(recipients)]
    addresses = [f"internal:{user}" if n % 2 else f"whatsapp:+55119{n:08d}" for n, user in enumerate(users)]
    if recipients == 1:
        return [MessageAccepted(_id(n), "c-1", _id(999), addresses[0], f"{n:040d}") for n in range(count)]
    return [
        MessageAccepted(_id(n), "c-1", _id(999), "", f"{n:040d}", None, tuple(addresses), tuple(users))
        for n in range(count)
    ]


def changes_of(message: MessageAccepted, position: LogPosition) -> Iterator[StatusChanged]:
    """Yield every fact about ``message`` until all have read it."""
    several = len(message.targets) > 1
    count = len(message.targets)
    at = position.accepted_at_ms

    def change(word: str, at_ms: int, address: str = "", provider_id: str | None = None) -> StatusChanged:
        return StatusChanged(
            message.message_id,
            message.conversation_id,
            word,
            at_ms,
            at,
            position.offset,
            "whatsapp",
            0 if provider_id is None else 1,
            provider_id,
            recipient_id=address if several else "",
            recipient_count=count,
        )

    yield change("ACCEPTED", at)
    for step, word in enumerate(("SENT", "DELIVERED", "READ"), 1):
        for index, address in enumerate(message.targets):
            yield change(word, at + 1_000 * step + index, address, f"sim.{message.message_id[:8]}{index:08d}")


def _batches(records: Sequence[Record]) -> Iterator[list[Record]]:
    for start in range(0, len(records), _BATCH):
        yield list(records[start : start + _BATCH])


def remembered(recipients: int, count: int) -> tuple[float, float]:
    """Return CPU ms and KiB of one message of ``count``, with all its facts."""
    made = list(enumerate(messages_to(recipients, count)))
    accepted = [Record(encode(message), offset, NOW_MS + offset) for offset, message in made]
    facts = [
        Record(encode(change), 0, NOW_MS, "status-updates")
        for offset, message in made
        for change in changes_of(message, LogPosition(NOW_MS + offset, offset))
    ]
    facts = [Record(fact.value, offset, NOW_MS, "status-updates") for offset, fact in enumerate(facts)]

    def follow() -> RecentMessages:
        recent = RecentMessages(1_000_000)
        intake = LogIntake(recent)
        for batch in _batches(accepted):
            intake.take_messages(batch)
        for batch in _batches(facts):
            intake.take_facts(batch)
        return recent

    cpu_seconds = min(_timed(follow) for _ in range(_ROUNDS))
    gc.collect()
    tracemalloc.start()
    recent = follow()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(recent) == count
    return cpu_seconds * 1000 / count, held / 1024 / count


def page(recipients: int, count: int) -> float:
    """Return CPU ms of a page of ``count`` messages: rows of Cassandra's to documents."""
    rows = []
    for offset, message in enumerate(messages_to(recipients, count)):
        position = LogPosition(NOW_MS + offset, offset)
        facts = (
            Fact(
                c.status,
                c.at_ms,
                c.attempt,
                c.provider_id,
                recipient_id=c.recipient_id,
                recipient_count=c.recipient_count,
            )
            for c in changes_of(message, position)
        )
        rows.append((message, position, [encode_fact(fact) for fact in facts]))

    def documents() -> None:
        for message, position, texts in rows:
            message_document(StoredMessage(message, position, state_of(position, texts)), {}, 24.0)

    return min(_timed(documents) for _ in range(3)) * 1000


def one_fold() -> float:
    """Return µs for each fact of a message to one address."""
    facts = [Fact("ACCEPTED", 1), Fact("SENT", 2, 1, "sim.1"), Fact("DELIVERED", 3, 0, "sim.1"), Fact("READ", 4)]
    many = 20_000

    def work() -> None:
        for _ in range(many):
            fold(facts)

    return min(_timed(work) for _ in range(_ROUNDS)) / many / len(facts) * 1e6


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipients", type=int, default=256)
    parser.add_argument("--messages", type=int, default=50)
    options = parser.parse_args()
    for recipients, count in ((1, 5_000), (options.recipients, options.messages)):
        cpu_ms, kib = remembered(recipients, count)
        print(f"a message to {recipients}: {cpu_ms:.3f} ms of CPU and {kib:.1f} KiB in an API process")
    print(f"a page of 100 messages to {options.recipients}: {page(options.recipients, 100):.0f} ms of CPU")
    print(f"a fact of a message to 1, folded: {one_fold():.2f} µs")


if __name__ == "__main__":
    asyncio.run(_main())
