"""`chat4all replay at` over a long log: records are written to topics of their own, replayed, and the cost is measured.

    python -m loadtests.replay_million --records 1000000

Needs Kafka (CHAT4ALL_KAFKA). The limits are 60 s and 300 MiB for a million records. The topics are deleted at the end.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import time
import uuid
from dataclasses import replace

import click
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from app.settings import Settings
from domain.records import MessageAccepted, StatusChanged

A_MESSAGE = 5  # records: itself and four facts
MOST_PENDING_BYTES = 8 << 20
MOST_SECONDS, MOST_MIB = 60.0, 300.0
_WORDS = ("ACCEPTED", "SENT", "DELIVERED", "READ")


async def _write(settings: Settings, records: int) -> None:
    names, at = Topics(settings.topic_prefix), time.time_ns() // 1_000_000
    producer = BatchProducer(settings.kafka, client_id="replay-million")
    await producer.start()
    try:
        for number in range(records // A_MESSAGE):
            message_id, conversation_id = f"019aaf33-0000-7000-8000-{number:012d}", f"c-{number % 20_011}"
            key = conversation_id.encode()
            partition = partition_for(key, settings.partitions)
            message = MessageAccepted(
                message_id,
                conversation_id,
                "ana",
                "whatsapp:+5511999990000",
                f"a text of usual length, number {number}",
            )
            producer.enqueue(names.messages, partition, key, encode(message))
            for n, word in enumerate(_WORDS):
                change = StatusChanged(
                    message_id, conversation_id, word, at + n, at, number, "whatsapp", min(n, 1), f"sim.{message_id}"
                )
                write = producer.enqueue(names.status_updates, partition, key, encode(change))
            if producer.pending_bytes > MOST_PENDING_BYTES:
                await write
        await producer.flush()
    finally:
        await producer.stop()


async def _topics(settings: Settings, *, is_there: bool) -> None:
    names = Topics(settings.topic_prefix)
    both = [names.messages, names.status_updates]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        if is_there:
            config = {"message.timestamp.type": "LogAppendTime"}
            await admin.create_topics([NewTopic(name, settings.partitions, 1, topic_configs=config) for name in both])
        else:
            await admin.delete_topics(both)
    finally:
        await admin.close()


def _replay(settings: Settings, arguments: tuple[str, ...]) -> str:
    command = (sys.executable, "-m", "chat4all", "replay", "at", "--json", *arguments)
    began = time.monotonic()
    done = subprocess.run(command, env=os.environ | settings.to_environ(), stdout=subprocess.PIPE, check=True)
    seconds = time.monotonic() - began
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    mib = usage.ru_maxrss / 1024
    verdict = "within" if seconds <= MOST_SECONDS and mib <= MOST_MIB else "BEYOND"
    return (
        f"replay at {' '.join(arguments)}: {done.stdout.count(10):,} messages, {seconds:.1f} s, {mib:.0f} MiB at most, "
        f"{verdict} {MOST_SECONDS:g} s and {MOST_MIB:g} MiB"
    )


@click.command()
@click.option("--records", default=1_000_000, show_default=True)
def main(records: int) -> None:
    """Write, replay by both clocks, replay with the difference to now."""
    settings = replace(Settings.from_environ(), topic_prefix=f"replay-{uuid.uuid4().hex[:8]}-")
    asyncio.run(_topics(settings, is_there=True))
    try:
        began = time.monotonic()
        asyncio.run(_write(settings, records))
        click.echo(f"{records:,} records written in {time.monotonic() - began:.1f} s; load {os.getloadavg()[0]:.1f}")
        click.echo(_replay(settings, ("--as-of", "0s", "--known-at", "0s")))
        click.echo(_replay(settings, ("--known-at", "1h", "--diff", "live")))
    finally:
        asyncio.run(_topics(settings, is_there=False))


if __name__ == "__main__":
    main()
