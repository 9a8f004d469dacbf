"""What tests of uploads and downloads share."""

from __future__ import annotations

import random

MIB = 1024 * 1024
LONG = 24 * MIB  # more than sockets and readers hold between them


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Return bytes that do not repeat themselves."""
    return random.Random(seed).randbytes(size)
