"""Idempotency keys: the form of a key, and the comparison of two requests.

A message sent with a key has the id ``domain.ids.keyed_id(account, key)``. So nothing has to be remembered beside the
message itself: a repetition finds it in every view, and its fields tell whether the request was the same. Two records
of one id that got into the log at the same time are the same message, at the position of the first.
"""

from __future__ import annotations

import re

from domain.addresses import normal_address
from domain.errors import InvalidInput
from domain.records import MessageAccepted

MAX_KEY_CHARS = 255
_COMPARED = ("conversation_id", "content", "file_id", "account", "not_after_ms", "priority", "kind", "body", "reply_to")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def check_key(key: str, field: str = "Idempotency-Key") -> str:
    """Return ``key`` if it may be one. Raises ``InvalidInput`` naming ``field``."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(f"{field} must have 1 to {MAX_KEY_CHARS} visible ASCII characters, no spaces", field)
    return key


def is_same_message(one: MessageAccepted, other: MessageAccepted) -> bool:
    """Return whether two requests with one key ask for the same, of the same account.

    One of them may be on record with an address in a form of an older release.
    """
    if any(getattr(one, name) != getattr(other, name) for name in _COMPARED):
        return False
    return one.recipient_id == other.recipient_id or (
        normal_address(one.recipient_id) == normal_address(other.recipient_id)
    )
