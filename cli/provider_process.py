"""The process of `chat4all provider`: the provider's HTTP, and its receipts on ``<channel>-events``."""

from __future__ import annotations

import asyncio

from app.kafka.address import kafka_security
from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from app.settings import Settings
from channels.simulated.chaos.faults import Faults
from channels.simulated.provider.receipt_sender import Report
from channels.simulated.provider.server import Provider
from cli.serving import serve
from domain.records import ReceiptReported

WRITE_SECONDS = 5.0


async def run(settings: Settings, faults: Faults, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises ``LogUnavailable`` without Kafka, ``CannotProvide`` without the port."""
    batch_producer = BatchProducer(
        settings.kafka, client_id="provider", timeout_seconds=WRITE_SECONDS, security=kafka_security(settings)
    )
    await batch_producer.start()
    made = Provider(faults, reporter(settings, batch_producer))
    keeping = asyncio.create_task(batch_producer.keep_open())
    try:
        await serve(made.app(), host, port, f"the provider listens on http://{host}:{port}")
    finally:
        keeping.cancel()
        await batch_producer.stop()


def reporter(settings: Settings, batch_producer: BatchProducer) -> Report:
    """Return a function that writes a receipt to its channel's events, on its conversation's partition."""
    names = Topics(settings.topic_prefix)

    async def report(channel: str, conversation: str, receipt: ReceiptReported) -> None:
        key = conversation.encode()
        partition = partition_for(key, settings.partitions)
        await batch_producer.send_and_wait(names.events(channel), partition, key, encode(receipt))

    return report
