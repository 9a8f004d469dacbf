"""Words and limits of the HTTP API, as far as the client needs them.

The server defines the same values in ``domain/``. They are repeated here so that the client installs without the
server; tests/unit/test_client_contract.py compares the two.
"""

from __future__ import annotations

import re
from enum import StrEnum

CHANNELS = ("whatsapp", "instagram", "telegram")
INTERNAL = "internal"  # the channel of a delivery to a user inside the system
MAX_CONTENT_BYTES = 10_240  # of a message's text, in UTF-8
PART_BYTES = 5 * 1024 * 1024  # the server stores uploads in parts of this size
_USER_PREFIX = "user:"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Status(StrEnum):
    """How far a message is; later words imply earlier ones, FAILED stands beside them."""

    ACCEPTED = "ACCEPTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    READ = "READ"
    FAILED = "FAILED"


def is_address(participant_id: str) -> bool:
    """Return whether a participant is a channel's address. The ids of users hold no colon."""
    return ":" in participant_id


def names_user(text: str) -> bool:
    """Return whether ``text`` begins with ``user:``, as in ``user:maria``."""
    return text[: len(_USER_PREFIX)].lower() == _USER_PREFIX


def is_uuid(text: str) -> bool:
    """Return whether ``text`` is a UUID in lower case, the form of the API's ids."""
    return _UUID.fullmatch(text) is not None
