"""Identifiers. Opaque strings to clients; UUIDv7 inside, so they sort by time of creation.

A message sent with an idempotency key has a UUIDv5 instead, so a repetition computes the same id.
"""

from __future__ import annotations

import re
import uuid

_RANDOM_BITS = 74
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
# Ours alone, and for ever: another one would make other ids of keys that are in use.
_KEYED_MESSAGES = uuid.UUID("5c0ffa1b-6d5e-4d0a-9a52-6f3b8d2f7c41")
_INBOUND = uuid.UUID("0b4b8a52-9a0f-4f0e-8f5a-2c3d1e6a7b90")
_VERSION_AT = 14  # where a UUID's 36 characters hold its version


def is_uuid(text: str) -> bool:
    """Return whether ``text`` is a UUID in the form of this system: 36 characters, letters in lower case.

    Where a person may type capitals, pass ``text.lower()``.
    """
    return _UUID.fullmatch(text) is not None


def uuid7(unix_ms: int, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7) as 36 characters.

    ``unix_ms``: milliseconds since the epoch, 48 bits. ``randomness``: at least 10 bytes from a good source.
    """
    noise = int.from_bytes(randomness[:10], "big") & ((1 << _RANDOM_BITS) - 1)
    rand_a, rand_b = noise >> 62, noise & ((1 << 62) - 1)
    value = (unix_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    digits = f"{value:032x}"  # uuid.UUID takes three times as long
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def made_at_ms(message_id: str) -> int | None:
    """Return when a UUIDv7 was made (epoch milliseconds), ``None`` for any other UUID."""
    if len(message_id) != 36 or message_id[_VERSION_AT] != "7":
        return None
    return int(message_id[:8] + message_id[9:13], 16)


def keyed_id(account_id: str, key: str) -> str:
    """Return the id of the message sent by ``account_id`` with the idempotency ``key``: a UUIDv5, always the same.

    A line feed separates the parts; neither can hold one (``domain.idempotency.check_key``).
    """
    return str(uuid.uuid5(_KEYED_MESSAGES, f"{account_id}\n{key}"))


def inbound_message_id(channel: str, account: str, provider_id: str, part: int = 0) -> str:
    """Return the id of a person's message: a UUIDv5 of the channel's id of it on our account.

    ``part``: which file of a message with several, from 0: each becomes a message.
    """
    return str(uuid.uuid5(_INBOUND, f"{channel}\n{account}\n{part}\n{provider_id}"))


def file_id_of_inbound(message_id: str) -> str:
    """Return the id of the file of a person's message: a UUIDv5."""
    return str(uuid.uuid5(_INBOUND, f"file\n{message_id}"))


def may_repeat(message_id: str) -> bool:
    """Return whether ``message_id`` was made from a key, so two records of the log may carry it."""
    return len(message_id) == 36 and message_id[_VERSION_AT] == "5"
