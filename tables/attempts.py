"""``attempts``: message id → its newest attempt (``domain.attempts.Attempt``); a message to several has one an address.

One table for each channel role; written by that role's ``deliver_<channel>`` agent alone; on the partition of the
message's conversation. Value: ``[1,"sent",1732312312377,"sim.0193…",null,null]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from app.faust.retention import Retention
from domain.attempts import Attempt

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp

NAME = "attempts"


def declare(app: StreamApp) -> DurableTable:
    """Make the table on ``app``; rows leave it when the attempt is older than the retention."""
    table = app.durable_table(NAME, help="message id → newest attempt to hand it to the channel")
    app.post_start_services.append(Retention(app, table, _last_change_ms))
    return table


def _last_change_ms(value: bytes) -> int:
    attempt = load(value)
    return attempt.at_ms if attempt is not None else 0


def dump(a: Attempt) -> bytes:
    """Return the table's value for ``a``."""
    return orjson.dumps((a.number, a.outcome, a.at_ms, a.provider_id, a.failure_code, a.failure_detail))


def load(value: bytes | None) -> Attempt | None:
    """Return the attempt stored in ``value``."""
    return None if value is None else Attempt(*orjson.loads(value))
