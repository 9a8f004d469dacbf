"""Speed is not bought with durability: what the broker must confirm, and that nothing else writes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from app.faust.checkpoint import Checkpoint
from app.kafka.batch_producer import BatchProducer
from app.kafka.pending_batches import Written
from domain.errors import LogUnavailable
from support.fakes import FakeApp, batch_of
from support.waiting import stays, until

ROOT = Path(__file__).parents[2]
ROOMS = ("agents", "app", "channels", "domain", "storage", "tables", "web")


async def test_every_replica_in_sync_confirms_and_a_repetition_writes_nothing_twice() -> None:
    producer = BatchProducer("127.0.0.1:1", client_id="test")._new_producer()
    try:
        assert producer._sender._acks == -1
        assert producer._txn_manager is not None, "idempotence"
    finally:
        await producer.stop()


def test_nothing_but_the_batch_producer_makes_a_producer() -> None:
    makers = set()
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "AIOKafkaProducer":
                    makers.add(str(file.relative_to(ROOT)))
    assert makers == {"app/kafka/batch_producer.py"}


async def test_a_batch_is_complete_only_when_its_writes_are_durable() -> None:
    app: Any = FakeApp()
    app.batch_producer.held = True
    batch, checkpoint = batch_of("messages", b"1"), Checkpoint(app, "route")
    writes = [app.batch_producer.enqueue(topic, 0, b"k", b"v") for topic in ("status-updates", "whatsapp-outbound")]
    await checkpoint.when_durable(batch, writes)
    writes[0].future.set_result(Written(0, -1))
    await stays(lambda: not app.consumer.completed)
    writes[1].future.set_result(Written(0, -1))
    await until(lambda: app.consumer.completed == [batch])


async def test_a_batch_whose_write_failed_is_not_complete_and_the_worker_ends() -> None:
    app: Any = FakeApp()
    app.batch_producer.held = True
    batch, checkpoint = batch_of("messages", b"1"), Checkpoint(app, "route")
    write = app.batch_producer.enqueue("status-updates", 0, b"k", b"v")
    await checkpoint.when_durable(batch, [write])
    write.future.set_exception(LogUnavailable("refused"))
    await until(lambda: app.aborted)
    assert app.consumer.completed == []
