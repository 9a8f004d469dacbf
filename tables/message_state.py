"""``message_state``: message id → the sum of its facts on ``status-updates``.

A message to several addresses has a row for each address besides its own (key: message id, space, address), so a fact
costs the same for any number of addresses. Every row says how many there are. ``domain.status`` derives the state of
the whole message.

Role ``core``; written by ``track_status`` alone; on the partition of the message's conversation. The value is a JSON
array, without field names because there are many of them:

    [1732312312345,1732312312377,null,null,null,1,0,"sim.0193…",null,null,"c-1","whatsapp"]

The number of recipients follows, if there are several or the provider named a price; the price comes last.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import orjson

from app.faust.table_retention import Retention
from domain.status import UNKNOWN, MessageState

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp

NAME = "message_state"
_VALUES = len(fields(MessageState)) - 1 + 2  # without the price


@dataclass(frozen=True, slots=True)
class Row:
    """One value of the table."""

    state: MessageState
    conversation_id: str
    channel: str
    recipient_count: int = 1


def declare(app: StreamApp) -> DurableTable:
    """Make the table on ``app``; rows leave it when their last fact is older than the retention."""
    table = app.durable_table(NAME, help="message id → state")
    app.post_start_services.append(Retention(app, table, lambda value: load(value).state.last_change_ms))
    return table


def dump(row: Row) -> bytes:
    """Return the table's value for ``row``."""
    s = row.state
    values = (
        s.accepted_at_ms,
        s.sent_at_ms,
        s.delivered_at_ms,
        s.read_at_ms,
        s.failed_at_ms,
        s.sent_attempt,
        s.failed_attempt,
        s.provider_id,
        s.failure_code,
        s.failure_detail,
        row.conversation_id,
        row.channel,
    )
    if s.pricing is not None:
        return orjson.dumps((*values, row.recipient_count, s.pricing))
    return orjson.dumps(values if row.recipient_count == 1 else (*values, row.recipient_count))


def load(value: bytes | None) -> Row:
    """Return the row stored in ``value``; an empty row for ``None``."""
    if value is None:
        return Row(UNKNOWN, "", "")
    values = orjson.loads(value)
    pricing = values.pop() if len(values) > _VALUES + 1 else None
    count = values.pop() if len(values) > _VALUES else 1
    *state, conversation_id, channel = values
    return Row(MessageState(*(*state, pricing)), conversation_id, channel, count)
