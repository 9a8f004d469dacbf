"""Validates the parts of a file: pure checks shared by every store of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.errors import Conflict
from domain.files import PART_BYTES
from domain.ports.files import Part

MAX_PARTS = 10_000  # S3's


def check_part(number: int, size_bytes: int, part_bytes: int = PART_BYTES) -> None:
    """Raises ``ValueError`` for an invalid number or size of a part: a mistake of ours, not of a client."""
    if not 1 <= number <= MAX_PARTS:
        raise ValueError(f"part number {number}: expected 1 to {MAX_PARTS}")
    if not 1 <= size_bytes <= part_bytes:
        raise ValueError(f"a part of {size_bytes} bytes: expected 1 to {part_bytes}")


def check_order(parts: Sequence[Part], part_bytes: int = PART_BYTES) -> None:
    """Raises ``Conflict`` unless ``parts`` are 1, 2, 3, … and all but the last have ``part_bytes`` bytes."""
    if not parts or [part.number for part in parts] != list(range(1, len(parts) + 1)):
        raise Conflict("the parts of a file are 1, 2, 3, … without a gap, and at least one")
    if any(part.size_bytes != part_bytes for part in parts[:-1]):
        raise Conflict(f"every part but the last has {part_bytes} bytes")


def check_parts(parts: Sequence[Part], there: Mapping[int, Part], part_bytes: int = PART_BYTES) -> None:
    """Raises ``Conflict`` unless ``parts`` are in order and each is, as it is named, among those ``there``."""
    check_order(parts, part_bytes)
    for part in parts:
        if there.get(part.number) != part:
            raise Conflict(f"part {part.number} is not there as it was named; ask for the parts and name them again")


def check_range(start: int, length: int | None) -> None:
    """Raises ``ValueError`` for an invalid range."""
    if start < 0 or (length is not None and length < 0):
        raise ValueError(f"{length} bytes from {start} on: neither can be negative")
