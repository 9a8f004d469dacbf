"""Throttle password guessing by account, whether it exists or not, and by client address.

The limits are per process: with n processes a guesser has n times the attempts. Only failures are remembered. Each
costs the guesser a hash, so random names cannot fill the memory faster than entries expire.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from cachetools import LRUCache

from domain.login_attempts import Failures, LockoutPolicy, after_failure, wait_seconds
from domain.token_bucket import Rate, take
from web.accounts.passwords import TooManyLogins
from web.errors import RateLimited

# At 2 concurrent hashes of 70 ms, 50,000 failures take half an hour: twice the time until they are forgotten.
REMEMBERED = 50_000
MAX_WAITING_FOR_ONE_ACCOUNT = 100
QUEUE_SECONDS = 5.0

_Key = tuple[bytes, str]


class Attempt:
    """An admitted login attempt. Report its outcome with ``ended``; an attempt without an outcome does not count."""

    def __init__(self, throttle: LoginThrottle, key: _Key, name: bytes, address: str) -> None:
        self._throttle = throttle
        self._key = key
        self._name = name
        self._address = address

    def ended(self, *, matches: bool) -> None:
        """Remember whether the password was right."""
        if matches:
            self._throttle.succeeded(self._key, self._name, self._address)
        else:
            self._throttle.failed(self._key, self._address)


class LoginThrottle:
    """``account``: the wait after failures for one account; ``address``: the failures allowed from one address, for any
    accounts.

    Attempts for one account are serialised, so concurrent ones cannot bypass the limit. Addresses with an earlier
    login are counted separately, so a stranger's guesses do not lock the user out there. ``refused``: the number of
    refused attempts. ``clock``: seconds, monotonic.
    """

    def __init__(
        self,
        account: LockoutPolicy,
        address: Rate,
        *,
        remembered: int = REMEMBERED,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.refused = 0
        self._account = account
        self._address = address
        self._clock = clock
        self._failures: LRUCache[_Key, Failures] = LRUCache(remembered)
        self._full_at: LRUCache[str, float] = LRUCache(remembered)
        self._usual: LRUCache[_Key, bool] = LRUCache(remembered)
        self._locks: dict[_Key, tuple[asyncio.Lock, list[None]]] = {}

    def __len__(self) -> int:
        return len(self._failures) + len(self._full_at) + len(self._usual)

    @asynccontextmanager
    async def attempt(self, username: str, address: str) -> AsyncIterator[Attempt]:
        """Wait for one's turn and make an attempt; hold it no longer than a hash takes.

        Raises ``RateLimited`` if it must not be made yet, ``TooManyLogins`` if the turn does not come in time.
        """
        name = _short(username)
        key = self._key(name, address)
        async with self._lock(key):
            self._check(key, address)
            yield Attempt(self, key, name, address)

    def check(self, username: str, address: str) -> None:
        """Raise ``RateLimited`` if an attempt must not be made yet: before anything else is asked for it."""
        self._check(self._key(_short(username), address), address)

    def succeeded(self, key: _Key, name: bytes, address: str) -> None:
        """Forget the account's failures, and remember where the user logs in from."""
        self._failures.pop(key, None)
        self._usual[name, address] = True

    def failed(self, key: _Key, address: str) -> None:
        """Remember a failure of the account, and of the address."""
        now = self._clock()
        self._failures[key] = after_failure(self._failures.get(key), now, self._account)
        if self._address.is_limited:
            self._full_at[address] = take(self._full_at.get(address) or -math.inf, now, self._address).full_at

    def _key(self, name: bytes, address: str) -> _Key:
        return (name, address if self._usual.get((name, address)) else "")

    def _check(self, key: _Key, address: str) -> None:
        self._check_address(address)
        wait = wait_seconds(self._failures.get(key), self._clock(), self._account)
        if wait > 0:
            self._refuse("too many wrong passwords for this username", wait, self._account.free)

    def _check_address(self, address: str) -> None:
        if self._address.is_limited:
            taken = take(self._full_at.get(address) or -math.inf, self._clock(), self._address)
            if not taken.allowed:
                self._refuse("too many failed logins from your address", taken.retry_after_seconds, self._address.burst)

    def _refuse(self, what: str, wait: float, limit: int) -> None:
        self.refused += 1
        seconds = math.ceil(wait)
        raise RateLimited(f"{what}; try again in {seconds} s", limit, 0, seconds, seconds)

    @asynccontextmanager
    async def _lock(self, key: _Key) -> AsyncIterator[None]:
        lock, waiting = self._locks.setdefault(key, (asyncio.Lock(), []))
        if len(waiting) >= MAX_WAITING_FOR_ONE_ACCOUNT:
            self._refuse("too many concurrent logins for this username", 1.0, MAX_WAITING_FOR_ONE_ACCOUNT)
        waiting.append(None)
        try:
            try:
                async with asyncio.timeout(QUEUE_SECONDS):
                    await lock.acquire()
            except TimeoutError:
                raise TooManyLogins("many logins for this username are in progress; retry shortly") from None
            try:
                yield
            finally:
                lock.release()
        finally:
            waiting.pop()
            if not waiting:
                del self._locks[key]


def _short(username: str) -> bytes:
    """Return 16 bytes for a name of any length."""
    return hashlib.blake2b(username.lower().encode("utf-8", "surrogatepass"), digest_size=16).digest()
