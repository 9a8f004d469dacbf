"""What the most frequent facts say, without decoding them.

Most records of ``status-updates`` say that a message to one recipient was accepted, sent, delivered or read. Whoever
only counts them, or keeps them for later, needs four of their fields. ``encode`` writes a record's fields always in the
same order, so a regular expression finds them in a quarter of the time that decoding takes.
"""

from __future__ import annotations

import re

from app.kafka.codec import MAX_RECORD_BYTES, VERSION
from domain.status import Status

# a text without escapes; fewer digits than the largest time has, so that none is too large
_SIMPLE, _TIME = rb'([^"\\]*)', rb"\d{1,14}"
_BEGINNING = re.compile(
    rb'\{"type":"StatusChanged","version":%d,"message_id":"%b","conversation_id":"%b",' % (VERSION, _SIMPLE, _SIMPLE)
    + rb'"status":"(ACCEPTED|SENT|DELIVERED|READ)","at_ms":%b,"accepted_at_ms":(%b),"position":\d{1,18},'
    % (_TIME, _TIME)
)
_OF_SEVERAL_RECIPIENTS = b'"recipient_'
_STATUSES = {status.encode(): status for status in Status}

# message, conversation, status, and when the message was accepted (epoch ms)
PlainFact = tuple[str, str, Status, int]


def plain_fact(value: bytes | None) -> PlainFact | None:
    """Return the message, its conversation, the status, and when the message was accepted (epoch milliseconds), of a
    record of ``status-updates`` about a message to one recipient that says no failure.

    ``None`` if the record must be decoded to know. What comes after these fields is not looked at: ``decode`` may
    refuse it. For every record that ``encode`` wrote the fields are those that ``decode`` finds.
    """
    if value is None or len(value) > MAX_RECORD_BYTES or not value.isascii() or _OF_SEVERAL_RECIPIENTS in value:
        return None
    found = _BEGINNING.match(value)
    if found is None:
        return None
    message_id, conversation_id, status, accepted_at_ms = found.groups()
    return message_id.decode(), conversation_id.decode(), _STATUSES[status], int(accepted_at_ms)
