"""Guessing passwords gets slow, and nothing else does."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.login_attempts import Failures, LockoutPolicy, after_failure, wait_seconds
from domain.token_bucket import Rate
from web.accounts.login_throttle import MAX_WAITING_FOR_ONE_ACCOUNT, LoginThrottle
from web.accounts.passwords import TooManyLogins
from web.errors import RateLimited
from web.http.problems import problem_of

POLICY = LockoutPolicy(free=3, longest_wait_seconds=60.0)
NO_LIMIT = Rate(0, 1)


def test_the_wait_doubles_after_the_free_failures_and_has_a_bound() -> None:
    waits = [wait_seconds(Failures(count, 100.0), 100.0, POLICY) for count in range(1, 13)]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert wait_seconds(Failures(10**9, 100.0), 100.0, POLICY) == 60
    assert wait_seconds(Failures(5, 100.0), 101.5, POLICY) == 2.5
    assert wait_seconds(None, 100.0, POLICY) == 0


def test_failures_are_forgotten_after_a_quiet_time_and_without_a_rule_there_is_no_wait() -> None:
    known = Failures(50, 0.0)
    assert after_failure(known, 179.9, POLICY).count == 51
    assert after_failure(known, 180.0, POLICY).count == 1
    assert wait_seconds(Failures(50, 0.0), 0.0, LockoutPolicy(0, 60.0)) == 0


@given(st.lists(st.floats(0, 30), max_size=60))
def test_who_guesses_as_fast_as_allowed_gets_few_guesses(pauses: list[float]) -> None:
    known, now, guesses = None, 0.0, []
    for pause in pauses:
        now += pause
        if wait_seconds(known, now, POLICY) == 0:
            known = after_failure(known, now, POLICY)
            guesses.append(now)
    # n guesses beyond the free ones take the sum of their waits
    waits = sum(min(60, 2**n) for n in range(max(0, len(guesses) - POLICY.free)))
    assert not guesses or guesses[-1] - guesses[0] >= waits - 1e-6


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Door:
    """A throttle and who knocks. ``knock`` returns "in", "no" or the seconds to wait."""

    def __init__(self, address: Rate = NO_LIMIT, **more: object) -> None:
        self.clock = Clock()
        self.throttle = LoginThrottle(POLICY, address, clock=self.clock, **more)

    async def knock(self, name: str, right: bool, address: str = "192.0.2.1") -> str | int:
        try:
            async with self.throttle.attempt(name, address) as attempt:
                await asyncio.sleep(0)
                attempt.ended(matches=right)
        except RateLimited as refused:
            return refused.retry_after_seconds
        return "in" if right else "no"


async def test_after_three_wrong_passwords_even_the_right_one_has_to_wait() -> None:
    door = Door()
    assert [await door.knock("maria", False) for _ in range(3)] == ["no", "no", "no"]
    assert await door.knock("maria", True) == 1
    assert await door.knock("MARIA", True) == 1
    assert await door.knock("joao", True) == "in"
    door.clock.now += 1
    assert await door.knock("maria", False) == "no"
    assert await door.knock("maria", True) == 2
    door.clock.now += 2
    assert await door.knock("maria", True) == "in"
    # and with that all is forgotten
    assert [await door.knock("maria", False) for _ in range(3)] == ["no", "no", "no"]


async def test_an_attempt_that_was_refused_does_not_make_the_wait_longer() -> None:
    door = Door()
    for _ in range(3):
        await door.knock("maria", False)
    assert {await door.knock("maria", False) for _ in range(50)} == {1}


async def test_many_at_once_are_no_way_round() -> None:
    door = Door()
    outcomes = await asyncio.gather(*(door.knock("maria", False) for _ in range(80)))
    assert outcomes.count("no") == 3
    assert outcomes.count(1) == 77


async def test_many_logins_of_one_user_at_once_all_get_in() -> None:
    door = Door()
    outcomes = await asyncio.gather(*(door.knock("maria", True) for _ in range(MAX_WAITING_FOR_ONE_ACCOUNT + 5)))
    assert outcomes.count("in") == MAX_WAITING_FOR_ONE_ACCOUNT
    assert outcomes.count(1) == 5
    assert not door.throttle._locks


async def test_nobody_waits_for_a_turn_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.accounts.login_throttle.QUEUE_SECONDS", 0.05)
    door = Door()
    async with door.throttle.attempt("maria", "192.0.2.1"):
        with pytest.raises(TooManyLogins):
            await door.knock("maria", True)
        assert await door.knock("joao", True) == "in"
    assert await door.knock("maria", True) == "in"
    assert not door.throttle._locks


async def test_a_stranger_who_guesses_does_not_lock_a_user_out_where_they_usually_are() -> None:
    door = Door()
    assert await door.knock("maria", True, "198.51.100.7") == "in"
    for _ in range(5):
        await door.knock("maria", False, "192.0.2.66")
    assert isinstance(await door.knock("maria", True, "192.0.2.66"), int)
    assert await door.knock("maria", True, "198.51.100.7") == "in"
    assert isinstance(await door.knock("maria", True, "192.0.2.66"), int)
    # but there, too, guesses are counted
    for _ in range(3):
        assert await door.knock("maria", False, "198.51.100.7") == "no"
    assert await door.knock("maria", True, "198.51.100.7") == 1


async def test_an_address_that_tries_many_names_is_stopped_and_others_are_not() -> None:
    door = Door(Rate(0.1, 5))
    assert [await door.knock(f"user{n}", False) for n in range(6)] == ["no"] * 5 + [10]
    assert await door.knock("maria", True) == 10
    assert await door.knock("maria", True, "198.51.100.7") == "in"
    door.clock.now += 10
    assert await door.knock("maria", True) == "in"
    assert await door.knock("maria", True) == "in"  # what succeeds costs nothing
    assert [await door.knock("user9", False) for _ in range(2)] == ["no", 10]


async def test_what_ends_neither_well_nor_badly_counts_for_nothing() -> None:
    door = Door(Rate(0.1, 1))
    for _ in range(10):
        with pytest.raises(OSError, match="away"):
            async with door.throttle.attempt("maria", "192.0.2.1"):
                raise OSError("the store is away")
    assert await door.knock("maria", True) == "in"


async def test_a_spray_of_names_and_addresses_fills_no_more_than_the_memory_set_aside() -> None:
    door = Door(Rate(0.1, 5), remembered=100)
    for n in range(2_000):
        await door.knock(f"user{n}" + "x" * 5_000, n % 10 == 0, f"192.0.2.{n}")
    assert len(door.throttle) <= 300
    assert {len(name) for name, _ in door.throttle._failures} == {16}


async def test_a_refusal_counts_and_says_all_a_client_needs() -> None:
    door = Door()
    for _ in range(4):
        await door.knock("maria", False)
    assert door.throttle.refused == 1
    with pytest.raises(RateLimited) as caught:
        async with door.throttle.attempt("maria", "192.0.2.1"):
            raise AssertionError("not reached")
    assert problem_of(caught.value).headers == {
        "Retry-After": "1",
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "1",
    }
