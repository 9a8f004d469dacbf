"""``attempts``: delivery key → its outcome (``domain.attempts.Attempt``); a message to several has one an address.

One table for each channel role; written by that role alone; on the partition of the message's conversation. Value:
``[1,"sent",1732312312377,"sim.0193…",null,null,1732312312377,1732312312001,42,1,"default"]``. The provider's identifier
of the recipient, its ids of later parts and the ``traceparent`` follow if there are any. Rows of older releases end
after the sixth element.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from app.faust.table_retention import Retention
from domain.attempts import Attempt

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp

NAME = "attempts"
_PART_IDS = 12  # the index of its ids of later parts


def declare(app: StreamApp) -> DurableTable:
    """Make the table on ``app``; a row leaves it when it was recorded longer ago than the retention."""
    table = app.durable_table(NAME, help="delivery key → outcome at the channel")
    app.post_start_services.append(Retention(app, table, recorded_at_ms))
    return table


def recorded_at_ms(value: bytes) -> int:
    """Return when the row was written by our clock: no channel's clock deletes what prevents a repetition."""
    attempt = load(value)
    return (attempt.recorded_at_ms or attempt.at_ms) if attempt is not None else 0


def dump(a: Attempt) -> bytes:
    """Return the table's value for ``a``."""
    fields: tuple[object, ...] = (
        a.number,
        a.outcome,
        a.at_ms,
        a.provider_id,
        a.failure_code,
        a.failure_detail,
        a.recorded_at_ms,
        a.accepted_at_ms,
        a.position,
        a.recipient_count,
        a.account,
    )
    if a.traceparent:
        fields = *fields, a.to, a.part_ids, a.traceparent
    elif a.to or a.part_ids:
        fields = *fields, a.to, a.part_ids
    return orjson.dumps(fields)


def load(value: bytes | None) -> Attempt | None:
    """Return the attempt stored in ``value``."""
    if value is None:
        return None
    fields = orjson.loads(value)
    if len(fields) > _PART_IDS:
        fields[_PART_IDS] = tuple(fields[_PART_IDS])
    return Attempt(*fields)
