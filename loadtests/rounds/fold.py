"""The work of a round's agent: fold the bits of each key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.kafka.pending_batches import PendingBatch


def write_effects(app: Any, table: DurableTable | None, partition: int, records: Iterable[Any]) -> list[PendingBatch]:
    """Fold ``records`` and write each key once: its whole state to the table, or to the output topic."""
    bits: dict[bytes, int] = {}
    for record in records:
        bits[record.key] = bits.get(record.key, 0) | int(record.value)
    if table is None:
        enqueue, topic = app.batch_producer.enqueue, app.round_topics.output
        return [enqueue(topic, partition, key, b"%d" % seen) for key, seen in bits.items()]
    return [
        table.put(partition, key, b"%d" % (seen | int(table.get_bytes(partition, key) or 0)))
        for key, seen in bits.items()
    ]


def write_rows(app: Any, path: Path) -> None:
    """Write the rows of this worker's partitions, for the runner to compare."""
    rows = {}
    for table in app.tables.values():
        for partition in table.active_partitions():
            for key, value in table.rows_after(partition, b"", 1_000_000):
                rows[key.decode()] = int(value)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rows))
    part.rename(path)
