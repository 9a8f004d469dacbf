"""Argon2id off the event loop, with a bounded number of threads and a bounded queue."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from app.settings import Settings
from domain.errors import Unavailable

T = TypeVar("T")

# At about 70 ms a hash and two at a time, a queue of 100 takes some 4 seconds; callers do not wait longer.
MAX_WAITING = 100


class TooManyLogins(Unavailable):
    """The queue of passwords to be hashed is full."""

    code = "busy"


class Passwords:
    """Hashes and checks passwords. ``waiting`` counts those queued or being hashed."""

    def __init__(self, hasher: PasswordHasher, *, at_once: int, max_waiting: int = MAX_WAITING) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")
        self._max_waiting = at_once + max_waiting
        self._stand_in = hasher.hash(secrets.token_hex())
        self.waiting = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> Passwords:
        """Return the hashing configured by ``settings.argon2_*`` (memory in KiB)."""
        hasher = PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            type=Type.ID,
        )
        return cls(hasher, at_once=settings.password_hashes_at_once)

    async def hash(self, password: str) -> str:
        """Return the Argon2id string (PHC format). Raises ``TooManyLogins``."""
        return await self._in_thread(lambda: self._hasher.hash(_prepared(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether ``password`` matches the hash.

        Without a hash (an unknown name) a stand-in is checked, so the response time does not reveal the difference.
        Raises ``TooManyLogins``.
        """
        matches = await self._in_thread(lambda: self._matches(password_hash or self._stand_in, password))
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Shut the threads down; queued work is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _prepared(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self.waiting >= self._max_waiting:
            raise TooManyLogins("too many passwords are being checked; try again shortly")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self.waiting -= 1


def _prepared(password: str) -> bytes:
    """Normalise to NFC, so equal-looking passwords match on any keyboard (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
