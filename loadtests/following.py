"""What following the log costs an API process, by the share of conversations that its sockets belong to.

    python -m loadtests.following
    python -m loadtests.following --messages 40000 --processes 1 --processes 8

Messages to one recipient and four facts each are written to a Kafka of its own and read by the tailer as fast as it
can, fetches included. With ``n`` processes each has the sockets of every ``n``-th conversation. Processor time a
message, the least of ``--rounds``; that of the fetches alone beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import click
from aiokafka import AIOKafkaConsumer

from app.kafka.address import kafka_options
from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topic_admin import ensure_topics
from app.kafka.topics import Topics
from app.settings import Settings
from domain.ports import LogPosition
from domain.status import Status
from loadtests.servers import own_servers
from loadtests.wide_messages import NOW_MS, changes_of, messages_to
from web.history.log_tailer import LogTailer
from web.history.recent import RecentMessages

CONVERSATIONS = 2_000
_GIVE_UP_SECONDS = 120.0


class Sockets:
    """The listener of one of ``processes``; it wants the conversations of its own sockets.

    ``is_done``: set once it has heard of ``changes`` new statuses.
    """

    def __init__(self, processes: int, changes: int) -> None:
        self._processes = processes
        self._left = changes
        self.is_done = asyncio.Event()

    def on_message(self, *_: Any) -> None:
        """Do nothing."""

    def wants(self, conversation_id: str) -> bool:
        """Return whether a socket of this process belongs to a participant."""
        return self._processes > 0 and crc32(conversation_id.encode()) % self._processes == 0

    def on_unread(self, status: Status, accepted_at_ms: int, logged_at_ms: int) -> None:
        """Count a change that concerns no socket here."""
        self.on_status()

    def on_status(self, *_: Any) -> None:
        """Count a change."""
        self._left -= 1
        if not self._left:
            self.is_done.set()

    def reached(self, log_index: int, offset: int) -> None:
        """Do nothing."""


async def write(settings: Settings, count: int) -> None:
    """Write ``count`` messages and their facts."""
    topics = Topics(settings.topic_prefix)
    producer = BatchProducer(settings.kafka, client_id="following")
    await producer.start()
    try:
        for number, one in enumerate(messages_to(1, count)):
            message = replace(one, conversation_id=f"c-{number % CONVERSATIONS}")
            key = message.conversation_id.encode()
            partition = partition_for(key, settings.partitions)
            last = producer.enqueue(topics.messages, partition, key, encode(message))
            for change in changes_of(message, LogPosition(NOW_MS + number, number)):
                last = producer.enqueue(topics.status_updates, partition, key, encode(change))
            if number % 100 == 0:
                await last
        await producer.flush()
    finally:
        await producer.stop()


async def follow(settings: Settings, count: int, processes: int) -> float:
    """Return the CPU µs a message of a tailer that reads everything."""
    recent = RecentMessages(10 * count)
    tailer = LogTailer(settings, recent)
    sockets = tailer.listener = Sockets(processes, 3 * count)  # SENT, DELIVERED and READ
    began = time.process_time()
    tailer.start()
    try:
        async with asyncio.timeout(_GIVE_UP_SECONDS):
            await sockets.is_done.wait()
        spent = time.process_time() - began
    finally:
        await tailer.stop()
    assert len(recent) == count
    return spent * 1e6 / count


async def fetch(settings: Settings, count: int) -> float:
    """Return the CPU µs a message of a consumer that only fetches."""
    topics = Topics(settings.topic_prefix)
    consumer = AIOKafkaConsumer(
        topics.messages, topics.status_updates, **kafka_options(settings), auto_offset_reset="earliest"
    )
    began = time.process_time()
    await consumer.start()
    try:
        async with asyncio.timeout(_GIVE_UP_SECONDS):
            read = 0
            while read < 5 * count:
                read += sum(map(len, (await consumer.getmany(timeout_ms=500, max_records=500)).values()))
        spent = time.process_time() - began
    finally:
        await consumer.stop()
    return spent * 1e6 / count


async def measure(settings: Settings, count: int, processes: Sequence[int], rounds: int) -> None:
    """Write the log and print a line for each number of processes."""
    await ensure_topics(settings)
    await write(settings, count)
    least: dict[int, float] = {}
    fetching = min([await fetch(settings, count) for _ in range(rounds)])
    for _ in range(rounds):
        for each in processes:
            spent = await follow(settings, count, each)
            least[each] = min(spent, least.get(each, spent))
    print(f"{count:,} messages, CPU µs each; fetching alone {fetching:.1f}")
    print("| API processes | a message costs each of them, µs | without fetching |")
    print("|---|---|---|")
    for each, spent in least.items():
        print(f"| {each or 'no socket here'} | {spent:.1f} | {spent - fetching:.1f} |")


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--messages", default=20_000, show_default=True, type=click.IntRange(100, 200_000))
@click.option("--processes", multiple=True, default=(1, 2, 4, 0), show_default=True, type=click.IntRange(0, 1_000))
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(1, 50))
def main(messages: int, processes: Sequence[int], rounds: int) -> None:
    """Run from the command line."""
    with own_servers("following", ("kafka",)) as (stack, _):
        settings = Settings(kafka=stack.kafka_bootstrap)
        asyncio.run(measure(settings, messages, processes, rounds))


if __name__ == "__main__":
    main()
