"""Puts a record that cannot be processed on ``dead-letters``, whole and with the reason, so nothing is lost
silently.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from app.kafka.codec import encode
from domain.errors import InvalidInput
from domain.records import DeadLetter

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

log = logging.getLogger(__name__)


def dead_letter(app: StreamApp, batch: RecordBatch, record: Any, error: InvalidInput, at_ms: int) -> PendingBatch:
    """Queue ``record`` (an aiokafka ``ConsumerRecord`` of ``batch``) for ``dead-letters`` and return its batch."""
    log.warning("dead letter: %s[%d]@%d: %s", record.topic, record.partition, record.offset, error)
    letter = DeadLetter(
        record.topic, record.partition, record.offset, error.code, str(error), record.key, record.value, at_ms
    )
    app.metrics.dead_letter(record.topic, error.code)
    return app.batch_producer.enqueue(app.names.dead_letters, batch.partition, record.key, encode(letter))
