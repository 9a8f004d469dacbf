"""Repeatable chance: a number from 0 to 1 for each seed, token and purpose, whatever else happens in between."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_RANGE = 2**64


class Chance:
    """The chances of one call, or of one taken message. ``of("slow")`` returns the same number for ever."""

    def __init__(self, seed: int, token: str, number: int) -> None:
        self._begin = hashlib.blake2s(f"{seed} {number} {token}".encode(), digest_size=16).digest()

    def of(self, purpose: str) -> float:
        """Return a number from 0 to 1, without 1."""
        digest = hashlib.blake2s(purpose.encode(), key=self._begin, digest_size=8).digest()
        return int.from_bytes(digest, "big") / _RANGE

    def within(self, purpose: str, bounds: tuple[float, float]) -> float:
        """Return a number between the bounds."""
        least, most = bounds
        return least + (most - least) * self.of(purpose)

    def one_of(self, purpose: str, choices: Sequence[T]) -> T:
        """Return one of ``choices``."""
        return choices[int(self.of(purpose) * len(choices))]
