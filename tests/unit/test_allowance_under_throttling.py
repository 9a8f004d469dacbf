"""How much an account sends in the long run to a provider that throttles: above a limit of its own, or by chance."""

from __future__ import annotations

import random
from collections.abc import Callable

from domain.accounts import Account
from domain.allowance import Allowance

STEP_SECONDS = 0.02
SECONDS = 600.0
SLOW_SECONDS = 5.0  # at first little is sent, so the first throttling measures little

# returns whether the provider throttles a call, by the number of messages that it took in the second before
Throttles = Callable[[int], bool]


def outcome(throttles: Throttles, offered_per_second: float) -> tuple[float, float]:
    """Return the messages that were taken a second, and the share of the calls that were throttled."""
    allowance = Allowance(Account(channel="whatsapp"), 1.0)
    taken: list[float] = []
    refused, waiting, now = 0, 0.0, 0.0
    while now < SECONDS:
        waiting += offered_per_second * STEP_SECONDS * (0.1 if now < SLOW_SECONDS else 1)
        while waiting >= 1 and not allowance.account_wait_seconds(now):
            allowance.take(now, "a")
            if throttles(sum(at > now - 1 for at in taken[-100:])):
                allowance.throttled(now, None, None)
                refused += 1
            else:
                allowance.succeeded(now)
                taken.append(now)
                waiting -= 1
        now += STEP_SECONDS
    return len(taken) / SECONDS, refused / (refused + len(taken))


def test_a_provider_that_throttles_by_chance_does_not_stop_the_account() -> None:
    chance = random.Random(1)
    rate, _ = outcome(lambda _: chance.random() < 0.05, 12.0)
    assert rate > 4  # 1.1 while half of a small rate took half a minute to come back


def test_a_provider_with_a_limit_of_its_own_throttles_few_calls() -> None:
    rate, share = outcome(lambda recent: recent >= 30, 100.0)
    assert rate > 14
    assert share < 0.01
