"""How fast an account may send now: token buckets for the account and for each pair of account and address.

The workers of a channel share an account without talking to each other: each takes the share of the partitions that it
owns. A throttling answer halves the rate of this worker; each success lets it grow again, up to the declared rate.

There is no clock. ``now`` is in seconds, of any clock that does not go back. A *pair* is known by a text, such as the
address.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from domain.accounts import Account
from domain.token_bucket import Rate, take

LEAST_FACTOR = 1 / 64
GROWTH_PER_SECOND = 1 / 64  # of the declared rate: from the least to the whole in about a minute
GROWTH_OF_A_GUESS_PER_SECOND = 1 / 16  # of a rate measured at the first throttling, a slow moment perhaps
HALVING_SECONDS = 1.0  # the answers of one moment are one throttling: one halving
LONGEST_WAIT_SECONDS = 86_400.0
PAUSE_SECONDS = 1.0  # after a throttling answer without a time
PAIR_PAUSE_BASE = 4.0  # a pair throttled n times waits 4^n seconds (WhatsApp, error 131056)
LONGEST_PAIR_PAUSE_SECONDS = 4_096.0
INSTANT_SECONDS = 1e-6  # which floats lose: a shorter wait is none
MOST_PAIRS = 100_000
FIRST_SWEEP_PAIRS = 1_024
FULL_SECONDS = 1.0  # with so many pairs in memory an unknown pair waits so long


class Allowance:
    """The allowance of one account in one process: at most its ``share`` (0 to 1) of the account's declared rate.

    Each worker may send one message at once, however small its share of the burst is. An account without a declared
    rate gets one by being throttled: half of what it sent in the second before, until it has grown to the whole of it.
    The memory is bounded by ``most_pairs`` pairs. Raises ``ValueError`` for a share out of range.
    """

    def __init__(self, account: Account, share: float, most_pairs: int = MOST_PAIRS) -> None:
        self._account = account
        self._share = _checked(share)
        self._factor = 1.0
        self._base = account.per_second  # 0: no limit
        self._known_rate: Rate | None = None  # until base, factor or share change: it is asked for at every message
        self._bucket = _Bucket(self._rate())
        self._not_before = -inf
        self._halved_at = -inf
        self._grown_at = -inf
        self._sent = _SentPerSecond()
        self._pairs = _Pairs(account, most_pairs)

    @property
    def share(self) -> float:
        """This worker's share of the account, 0 to 1. A change keeps the tokens in the bucket, as far as they fit."""
        return self._share

    @share.setter
    def share(self, share: float) -> None:
        self._share, self._known_rate = _checked(share), None

    @property
    def pairs(self) -> int:
        """How many pairs are in memory."""
        return len(self._pairs)

    def wait_seconds(self, now: float, pair: str) -> float:
        """Return how long no message may go to ``pair``: 0 if one may, infinite while the share is 0."""
        return max(self.account_wait_seconds(now), self.pair_wait_seconds(now, pair))

    def account_wait_seconds(self, now: float) -> float:
        """Return how long the account sends nothing: infinite while the share is 0."""
        if self._share == 0:
            return inf
        wait = max(self._bucket.wait_seconds(now, self._rate()), self._not_before - now)
        return wait if wait > INSTANT_SECONDS else 0.0

    def pair_wait_seconds(self, now: float, pair: str) -> float:
        """Return how long no message may go to ``pair``, even if the account may send."""
        wait = self._pairs.wait_seconds(now, pair)
        return wait if wait > INSTANT_SECONDS else 0.0

    def take(self, now: float, pair: str) -> None:
        """Count one message to ``pair``. Raises ``ValueError`` if ``wait_seconds`` is not 0."""
        if wait := self.wait_seconds(now, pair):
            raise ValueError(f"account {self._account.name} may not send for another {wait:g} s")
        self._bucket.take(now, self._rate())
        self._sent.add(now)
        self._pairs.take(now, pair)

    def throttled(self, now: float, after_seconds: float | None, pair: str | None) -> None:
        """Note a throttling answer. ``after_seconds``: how long the provider wants to wait (a day at most counts).

        ``pair``: the answer is about this pair alone, and the rate stays. Without ``after_seconds`` a pair waits 4^n
        seconds for its throttling number n in a row. ``None``: it is about the account.
        """
        if pair is not None:
            self._pairs.throttled(now, after_seconds, pair)
            return
        self._not_before = max(self._not_before, now + _bounded(after_seconds, PAUSE_SECONDS))
        if now - self._halved_at >= HALVING_SECONDS:
            self._halve(now)

    def succeeded(self, now: float) -> None:
        """Note that the provider took a message: a lowered rate grows by the time since the last success."""
        if self._factor == 1.0:
            return
        growth = GROWTH_PER_SECOND if self._account.per_second else GROWTH_OF_A_GUESS_PER_SECOND
        grown = growth * min(max(now - self._grown_at, 0.0), 1.0)
        self._factor, self._grown_at = min(1.0, self._factor + grown), max(now, self._grown_at)
        if self._factor == 1.0:
            self._base = self._account.per_second
        self._known_rate = None

    def per_second(self, now: float) -> float:
        """Return the messages a second that this worker may send in the long run. 0: there is no limit.

        A pause after a throttling answer does not change it: ``wait_seconds`` says how long none may go.
        """
        return self._base * self._factor * self._share

    def used(self, now: float) -> float:
        """Return the messages of the last second as a share of ``per_second``; 0 while there is no limit."""
        limit = self.per_second(now)
        return self._sent.per_second(now) / limit if limit else 0.0

    def _halve(self, now: float) -> None:
        if not self._base and self._share:
            self._base = max(1.0, self._sent.per_second(now)) / self._share
        self._factor = max(LEAST_FACTOR, self._factor / 2)
        self._halved_at = self._grown_at = now
        self._known_rate = None

    def _rate(self) -> Rate:
        if self._known_rate is None:
            # at least one at once: a message that no bucket holds would wait for ever
            burst = max(1, int(self._account.burst * self._share))
            self._known_rate = Rate(self._base * self._factor * self._share, burst)
        return self._known_rate


class _Bucket:
    """A token bucket whose rate changes. The tokens in it stay, as far as they fit."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at = -inf

    def wait_seconds(self, now: float, rate: Rate) -> float:
        self._change(now, rate)
        return take(self._full_at, now, rate).retry_after_seconds if rate.is_limited else 0.0

    def take(self, now: float, rate: Rate) -> None:
        self._change(now, rate)
        self._full_at = _taken(self._full_at, now, rate)

    def _change(self, now: float, rate: Rate) -> None:
        old, self._rate = self._rate, rate
        if old is rate or old == rate or not old.is_limited or not rate.is_limited:
            return
        tokens = old.burst - max(0.0, self._full_at - now) * old.per_second
        self._full_at = now + (rate.burst - min(tokens, rate.burst)) / rate.per_second


class _SentPerSecond:
    """Counts by whole second: the one that runs, and the one before."""

    def __init__(self) -> None:
        self._second, self._count, self._before = 0, 0, 0

    def add(self, now: float) -> None:
        self._turn(now)
        self._count += 1

    def per_second(self, now: float) -> int:
        self._turn(now)
        return max(self._count, self._before)

    def _turn(self, now: float) -> None:
        second = int(now)
        if second != self._second:
            self._before = self._count if second == self._second + 1 else 0
            self._second, self._count = second, 0


class _Throttled(NamedTuple):
    until: float
    times: int  # in a row
    pause: float


class _Pairs:
    """The state of the pairs of one account. A pair is forgotten once its bucket is full and its pause is over."""

    def __init__(self, account: Account, most: int) -> None:
        self._rate = Rate(1 / account.pair_seconds if account.pair_seconds else 0.0, account.pair_burst)
        self._most = most
        self._full_at: dict[str, float] = {}
        self._throttled: dict[str, _Throttled] = {}
        self._swept_at = -inf
        self._sweep_from = min(FIRST_SWEEP_PAIRS, most)

    def __len__(self) -> int:
        return len(self._full_at) + len(self._throttled)

    def wait_seconds(self, now: float, pair: str) -> float:
        throttled = self._throttled.get(pair)
        pause = throttled.until - now if throttled else 0.0
        if not self._rate.is_limited:
            return max(0.0, pause)
        full_at = self._full_at.get(pair)
        if full_at is not None:
            return max(0.0, pause, take(full_at, now, self._rate).retry_after_seconds)
        self._make_room(now)
        return max(0.0, pause, FULL_SECONDS if len(self._full_at) >= self._most else 0.0)

    def take(self, now: float, pair: str) -> None:
        if self._rate.is_limited:
            self._full_at[pair] = _taken(self._full_at.get(pair, -inf), now, self._rate)

    def throttled(self, now: float, after_seconds: float | None, pair: str) -> None:
        known = self._throttled.pop(pair, None)
        # long after its last pause a pair begins anew
        times = known.times + 1 if known and now <= known.until + known.pause else 1
        pause = _bounded(after_seconds, min(PAIR_PAUSE_BASE ** min(times, 16), LONGEST_PAIR_PAUSE_SECONDS))
        self._make_room(now)
        if len(self._throttled) >= self._most:
            # forgetting a pause costs a throttled call; forgetting a bucket would break the limit
            del self._throttled[next(iter(self._throttled))]
        self._throttled[pair] = _Throttled(now + pause, times, pause)

    def _make_room(self, now: float) -> None:
        """Forget what is over, whenever the memory has doubled; once a second while it is full."""
        if len(self) < self._sweep_from or now - self._swept_at < FULL_SECONDS:
            return
        self._swept_at = now
        self._full_at = {pair: full_at for pair, full_at in self._full_at.items() if full_at > now}
        self._throttled = {pair: each for pair, each in self._throttled.items() if each.until + each.pause > now}
        self._sweep_from = min(self._most, max(FIRST_SWEEP_PAIRS, 2 * len(self)))


def _taken(full_at: float, now: float, rate: Rate) -> float:
    """Return the bucket's state with a token less, also if the last bit of that token is missing."""
    if not rate.is_limited:
        return full_at
    taken = take(full_at, now, rate)
    return taken.full_at if taken.allowed else full_at + 1 / rate.per_second


def _checked(share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError(f"share={share}: expected 0 to 1")
    return share


def _bounded(after_seconds: float | None, default: float) -> float:
    if after_seconds is None:
        return default
    return min(after_seconds, LONGEST_WAIT_SECONDS) if after_seconds > 0 else 0.0
