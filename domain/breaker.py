"""A circuit breaker for an account: it stops the calls while too many of them fail or are slow.

CLOSED: calls are made; a sliding window counts them. OPEN: no call is made for a time, which doubles with each failed
probe. HALF_OPEN: one probe at a time is made; its success closes the breaker, its failure opens it again.

The breaker has no clock. ``now`` is in seconds, of any clock that does not go back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from enum import StrEnum
from math import inf

SLICES = 10  # parts of the window that leave it as one: at most SLICES + 1 are in memory
LONGEST_WAIT_SECONDS = 86_400.0  # what a provider may ask for
INSTANT_SECONDS = 1e-6  # which floats lose: a shorter wait is none
_MOST_OPENINGS = 64  # of which the doubling still counts


class BreakerState(StrEnum):
    """Whether calls are made: all, none, or one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and for how long.

    It opens if the last ``window_seconds`` have at least ``least_calls`` calls, of which ``failure_share`` failed, or
    ``slow_share`` took ``slow_seconds`` or longer. It stays open for ``open_seconds``. Each probe that fails doubles
    this time, up to ``longest_open_seconds``. Raises ``ValueError`` for a number out of range.
    """

    window_seconds: float = 30.0
    least_calls: int = 20
    failure_share: float = 0.5
    slow_seconds: float = 5.0
    slow_share: float = 0.8
    open_seconds: float = 10.0
    longest_open_seconds: float = 300.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            most = 1.0 if field.name.endswith("_share") else LONGEST_WAIT_SECONDS
            if not 0 < value <= most:
                raise ValueError(f"{field.name}={value}: expected more than 0 and at most {most:g}")
        if self.longest_open_seconds < self.open_seconds:
            raise ValueError(
                f"longest_open_seconds={self.longest_open_seconds:g} is less than open_seconds={self.open_seconds:g}"
            )


@dataclass(slots=True)
class _Slice:
    number: int
    calls: int = 0
    failed: int = 0
    slow: int = 0


class Breaker:
    """The breaker of one account in one process. Its memory is bounded by ``SLICES``."""

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._slices: deque[_Slice] = deque()
        self._opened_at: float | None = None  # None: closed
        self._open_until = 0.0
        self._openings = 0  # since it was closed last
        self._is_probing = False

    def state(self, now: float) -> BreakerState:
        """Return the state at ``now``."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        is_open = self._open_until - now > INSTANT_SECONDS
        return BreakerState.OPEN if is_open else BreakerState.HALF_OPEN

    def permits(self, now: float) -> bool:
        """Return whether a call may begin at ``now``."""
        return self.wait_seconds(now) == 0

    def wait_seconds(self, now: float) -> float:
        """Return how long no call may begin: 0 if one may, infinite while a probe is out."""
        match self.state(now):
            case BreakerState.CLOSED:
                return 0.0
            case BreakerState.OPEN:
                return self._open_until - now
            case _:
                return inf if self._is_probing else 0.0

    def begin(self, now: float) -> None:
        """Note that a call begins. If the breaker is half-open, this call is the probe.

        The caller bounds the call in time, then calls ``record``, ``open_for`` or ``forget_probe``: until then no
        second probe begins. Raises ``ValueError`` if no call may begin.
        """
        if not self.permits(now):
            raise ValueError(f"the breaker is {self.state(now)}: no call may begin")
        self._is_probing = self._opened_at is not None

    def record(self, now: float, ok: bool, seconds: float) -> None:
        """Count a call that ended at ``now`` after ``seconds``. ``ok``: the provider is in working order.

        A message that the provider refuses for good is ``ok``. While the breaker is open or half-open, only the probe
        counts. A slow probe that succeeds closes the breaker.
        """
        if self._opened_at is None:
            self._count(now, ok, seconds >= self._rules.slow_seconds)
        elif self._is_probing and now - seconds >= self._probes_begin_after():
            if ok:
                self._close()
            else:
                self._open(now)

    def open_for(self, now: float, seconds: float) -> None:
        """Stay open for ``seconds`` at least, and at most a day: the provider asked for it."""
        wait = min(seconds, LONGEST_WAIT_SECONDS) if seconds > 0 else 0.0
        if self.state(now) is not BreakerState.OPEN:
            self._opened_at, self._open_until = now, now
            self._is_probing = False
            self._slices.clear()
        self._open_until = max(self._open_until, now + wait)

    def reset(self) -> None:
        """Close: somebody says that the provider takes calls again."""
        self._close()
        self._slices.clear()

    def forget_probe(self) -> None:
        """Let another probe begin: this one was cancelled, and tells nothing."""
        self._is_probing = False

    def _probes_begin_after(self) -> float:
        """Return a time after the calls begun before the breaker opened, and before any probe."""
        assert self._opened_at is not None
        return (self._opened_at + self._open_until) / 2

    def _count(self, now: float, ok: bool, is_slow: bool) -> None:
        rules = self._rules
        number = int(now // (rules.window_seconds / SLICES))
        while self._slices and self._slices[0].number <= number - SLICES:
            self._slices.popleft()
        if not self._slices or self._slices[-1].number < number:
            self._slices.append(_Slice(number))
        newest = self._slices[-1]
        newest.calls += 1
        newest.failed += not ok
        newest.slow += is_slow
        calls = sum(each.calls for each in self._slices)
        if calls < rules.least_calls:
            return
        failed, slow = sum(each.failed for each in self._slices), sum(each.slow for each in self._slices)
        if failed >= rules.failure_share * calls or slow >= rules.slow_share * calls:
            self._open(now)

    def _open(self, now: float) -> None:
        rules = self._rules
        doubled = rules.open_seconds * 2.0 ** min(self._openings, _MOST_OPENINGS)
        self._openings += 1
        self._opened_at, self._open_until = now, now + min(doubled, rules.longest_open_seconds)
        self._is_probing = False
        self._slices.clear()

    def _close(self) -> None:
        self._opened_at = None
        self._openings = 0
        self._is_probing = False
