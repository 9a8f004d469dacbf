"""Identifiers. Opaque strings to clients; UUIDv7 inside, so that they sort by the time they were made."""

from __future__ import annotations

import uuid

_RANDOM_BITS = 74


def uuid7(unix_ms: int, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7) as 36 characters.

    ``unix_ms``: milliseconds since the epoch, 48 bits. ``randomness``: at least 10 bytes from a good source.
    """
    noise = int.from_bytes(randomness[:10], "big") & ((1 << _RANDOM_BITS) - 1)
    rand_a, rand_b = noise >> 62, noise & ((1 << 62) - 1)
    value = (unix_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    return str(uuid.UUID(int=value))
