"""``track_status`` (role core): folds the facts of ``status-updates`` into the ``message_state`` table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.facts import read_fact
from app.clock import now_ms
from app.faust.checkpoint import Checkpoint
from app.faust.dead_letters import dead_letter
from domain.errors import InvalidInput
from domain.expiry import may_have_left
from domain.recipients import INTERNAL
from domain.records import delivery_key
from domain.status import alone, join_alone
from tables import message_state

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch


def register(app: StreamApp) -> None:
    checkpoint = Checkpoint(app, "track_status")
    table = message_state.declare(app)

    @app.batch_agent("track_status", app.names.status_updates, help="status-updates → message_state")
    async def track_status(stream: Any) -> None:
        async for batch in stream:
            if not app.consumer.is_current(batch):
                continue  # its partition may have another writer by now
            others, changes, _ = fold_batch(app, table, batch)
            await checkpoint.when_durable(batch, {*others, *changes})


def fold_batch(
    app: StreamApp, table: DurableTable, batch: RecordBatch
) -> tuple[set[PendingBatch], list[PendingBatch], int]:
    """Add the facts of ``batch`` to the table.

    Returns the pending batches of dead letters, those of the changelog in their order, and the number of written rows.
    Each touched row is written once, with all facts of this batch about it.
    """
    dead: set[PendingBatch] = set()
    rows: dict[str, message_state.Row] = {}
    sent_inside = 0
    partition, retention_hours = batch.partition, app.settings.state_retention_hours
    for record in batch.records:
        try:
            change, fact = read_fact(record.value, record.timestamp)
        except InvalidInput as error:
            dead.add(dead_letter(app, batch, record, error, now_ms()))
            continue
        if fact.at_ms != change.at_ms:
            app.impossible_times.add(f"{change.status} of {change.message_id}", change.at_ms, fact.at_ms)
        key, count = change.message_id, change.recipient_count
        if count > 1:
            key, fact = delivery_key(change), alone(fact)
        row = rows.get(key)
        if row is None:
            value = table.get_bytes(partition, key.encode())
            if value is None and may_have_left(change.accepted_at_ms, record.timestamp, retention_hours):
                continue  # a row of this fact alone would be wrong; the whole is in the history
            row = message_state.load(value)
        if row.recipient_count > count:
            count = row.recipient_count
        state = join_alone(row.state, fact)
        if change.channel == INTERNAL and row.state.sent_at_ms is None and state.sent_at_ms is not None:
            sent_inside += 1  # a repeated fact is in the table already
        rows[key] = message_state.Row(state, change.conversation_id, change.channel or row.channel, count)
    writes: dict[PendingBatch, None] = {}
    for key, row in rows.items():
        writes[table.put(partition, key.encode(), message_state.dump(row))] = None
    if sent_inside:
        app.metrics.sent(INTERNAL, "success", sent_inside)
    return dead, list(writes), len(rows)
