"""How fast an account may send: its rate, its pairs, its share, and what throttling does to them."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import Account
from domain.allowance import FIRST_SWEEP_PAIRS, FULL_SECONDS, LEAST_FACTOR, LONGEST_WAIT_SECONDS, Allowance


def account(**fields: object) -> Account:
    return Account(channel="whatsapp", **fields)  # type: ignore[arg-type]


def send_all(allowance: Allowance, pairs: list[str], now: float = 0.0) -> list[float]:
    """Send to each of ``pairs``, as early as possible; return the times."""
    times = []
    for pair in pairs:
        while wait := allowance.wait_seconds(now, pair):
            now += wait
        allowance.take(now, pair)
        times.append(now)
    return times


def test_the_burst_goes_at_once_and_then_the_rate_counts() -> None:
    times = send_all(Allowance(account(per_second=10.0, burst=3), 1.0), list("abcdef"))
    assert times == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3], abs=1e-5)


def test_an_account_without_limits_never_waits_and_remembers_no_pair() -> None:
    allowance = Allowance(account(), 1.0)
    assert send_all(allowance, [str(n % 7) for n in range(1_000)]) == [0.0] * 1_000
    assert (allowance.pairs, allowance.per_second(0.0)) == (0, 0.0)


def test_a_pair_waits_while_another_does_not() -> None:
    allowance = Allowance(account(pair_seconds=6.0, pair_burst=2), 1.0)
    assert send_all(allowance, ["a", "a", "b"]) == [0, 0, 0]
    assert allowance.wait_seconds(0.0, "a") == pytest.approx(6, abs=1e-4)
    assert allowance.wait_seconds(0.0, "b") == 0


def test_more_than_is_allowed_is_an_error() -> None:
    allowance = Allowance(account(pair_seconds=6.0), 1.0)
    allowance.take(0.0, "a")
    with pytest.raises(ValueError, match="may not send"):
        allowance.take(1.0, "a")


def test_a_share_takes_its_part_and_at_least_one_at_once() -> None:
    allowance = Allowance(account(per_second=80.0, burst=45), 1 / 6)
    assert allowance.per_second(0.0) == pytest.approx(80 / 6)
    assert send_all(allowance, list("abcdefgh"))[6:] == pytest.approx([0, 6 / 80], abs=1e-4)
    assert Allowance(account(per_second=1.0), 1 / 100).wait_seconds(0.0, "a") == 0


def test_a_share_of_nothing_waits_for_ever_and_a_new_one_counts_from_then() -> None:
    allowance = Allowance(account(per_second=10.0, burst=5), 0.0)
    assert allowance.wait_seconds(0.0, "a") == inf
    allowance.share = 1.0
    assert allowance.wait_seconds(0.0, "a") == 0
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="share"):
            allowance.share = share


def test_a_larger_share_gives_no_tokens_at_once() -> None:
    allowance = Allowance(account(per_second=10.0, burst=10), 0.5)
    assert send_all(allowance, list("abcde")) == [0.0] * 5
    allowance.share = 1.0
    assert allowance.wait_seconds(0.0, "f") == pytest.approx(0.1, abs=1e-4)


def test_throttling_halves_the_rate_once_a_moment_down_to_a_64th() -> None:
    allowance = Allowance(account(per_second=64.0), 1.0)
    for n in range(5):
        allowance.throttled(100.0 + n / 10, None, None)
    assert allowance.per_second(100.0) == 32
    for n in range(20):
        allowance.throttled(110.0 + 2 * n, None, None)
    assert allowance.per_second(200.0) == 64 * LEAST_FACTOR


def test_success_lets_the_rate_grow_by_steps_up_to_the_declared_one() -> None:
    allowance, now = Allowance(account(per_second=64.0), 1.0), 100.0
    allowance.throttled(now, 0.0, None)
    rates = []
    for _ in range(80):
        now += 0.5
        allowance.succeeded(now)
        allowance.succeeded(now)  # many successes of one moment count once
        rates.append(allowance.per_second(now))
    assert rates[:3] == [32.5, 33, 33.5]
    assert rates[-1] == max(rates) == 64


def test_a_providers_wait_holds_the_whole_account_for_a_day_at_most() -> None:
    allowance = Allowance(account(), 1.0)
    allowance.throttled(100.0, 3_600.0, None)
    assert allowance.wait_seconds(100.0, "a") == 3_600
    allowance.throttled(100.0, 5.0, None)
    assert allowance.wait_seconds(100.0, "a") == 3_600
    allowance.throttled(100.0, 1e12, None)
    assert allowance.wait_seconds(100.0, "a") == LONGEST_WAIT_SECONDS
    allowance.throttled(100.0, float("nan"), None)
    assert allowance.wait_seconds(100.0 + LONGEST_WAIT_SECONDS, "a") == 0


def test_a_throttled_pair_waits_alone_and_longer_each_time() -> None:
    allowance, now, waits = Allowance(account(per_second=80.0), 1.0), 100.0, []
    for _ in range(8):
        allowance.throttled(now, None, "a")
        assert allowance.wait_seconds(now, "b") == 0
        waits.append(allowance.wait_seconds(now, "a"))
        now += waits[-1]
    assert waits == [4, 16, 64, 256, 1024, 4096, 4096, 4096]
    assert allowance.per_second(now) == 80
    allowance.throttled(now + 10_000, None, "a")  # long after: it begins anew
    assert allowance.wait_seconds(now + 10_000, "a") == 4
    allowance.throttled(now + 20_000, 9.0, "a")
    assert allowance.wait_seconds(now + 20_000, "a") == 9


def test_an_account_without_a_rate_gets_one_by_being_throttled_and_loses_it_again() -> None:
    allowance, now = Allowance(account(), 1.0), 100.0
    for n in range(50):
        allowance.take(100.0 + n / 50, "a")
    allowance.throttled(101.0, 0.0, None)
    assert allowance.per_second(101.0) == 25
    while allowance.per_second(now) and now < 200:
        now += 0.5
        allowance.succeeded(now)
    assert now == pytest.approx(109.0)
    assert allowance.wait_seconds(now, "a") == 0


def test_the_rate_of_an_account_without_one_is_that_of_this_worker_at_that_time() -> None:
    allowance = Allowance(account(), 0.25)
    for n in range(50):
        allowance.take(100.0 + n / 50, "a")
    allowance.throttled(101.0, 0.0, None)
    assert allowance.per_second(101.0) == 25
    allowance.share = 0.5
    assert allowance.per_second(101.0) == 50
    quiet = Allowance(account(), 1.0)
    for _ in range(50):
        quiet.take(100.0, "a")
    quiet.throttled(200.0, 0.0, None)
    assert quiet.per_second(200.0) == 0.5


def test_pauses_of_pairs_are_forgotten_when_they_are_over_and_the_oldest_if_they_are_too_many() -> None:
    allowance = Allowance(account(), 1.0)
    for n in range(20_000):
        allowance.throttled(100.0 + n / 100, 1.0, f"p{n}")
    assert allowance.pairs <= 2 * FIRST_SWEEP_PAIRS
    few = Allowance(account(), 1.0, most_pairs=10)
    for n in range(50):
        few.throttled(100.0, 60.0, f"p{n}")
    assert few.pairs == 10
    assert (few.wait_seconds(100.0, "p0"), few.wait_seconds(100.0, "p49")) == (0, 60)


def test_with_a_full_memory_an_unknown_pair_waits_and_no_limit_is_broken() -> None:
    allowance = Allowance(account(pair_seconds=60.0), 1.0, most_pairs=10)
    for n in range(10):
        allowance.take(100.0 + n, f"p{n}")
    assert allowance.wait_seconds(110.0, "other") == FULL_SECONDS
    assert allowance.wait_seconds(110.0, "p0") == pytest.approx(50, abs=1e-4)
    assert allowance.wait_seconds(160.5, "other") == 0
    assert allowance.pairs == 9


def test_pairs_whose_bucket_is_full_again_are_forgotten() -> None:
    allowance = Allowance(account(pair_seconds=1.0), 1.0)
    for n in range(50_000):
        allowance.take(100.0 + n / 100, f"p{n}")
    assert allowance.pairs <= 2 * FIRST_SWEEP_PAIRS


ACCOUNTS = st.builds(
    account,
    per_second=st.sampled_from([0.0, 0.5, 3.0, 80.0]),
    burst=st.integers(1, 20),
    pair_seconds=st.sampled_from([0.0, 0.1, 1.0, 6.0]),
    pair_burst=st.integers(1, 5),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 10, 100, 1_000, 20_000]),  # ms
        st.sampled_from("abcdef"),
        st.sampled_from(["send", "send", "send", "ok", "throttled", "pair", "share"]),
        st.sampled_from([0.1, 0.25, 0.5, 1.0]),
    ),
    max_size=120,
)


@given(ACCOUNTS, STEPS)
def test_no_time_sees_more_than_burst_and_rate(account: Account, steps: list[tuple[int, str, str, float]]) -> None:
    allowance, now_ms, sent = Allowance(account, 1.0, most_pairs=4), 0, []
    for pause_ms, pair, what, number in steps:
        now_ms += pause_ms
        now = now_ms / 1000
        match what:
            case "ok":
                allowance.succeeded(now)
            case "throttled":
                allowance.throttled(now, number, None)
                assert allowance.wait_seconds(now, pair) >= number - 1e-6
            case "pair":
                allowance.throttled(now, number, pair)
                assert allowance.wait_seconds(now, pair) >= number - 1e-6
            case "share":
                allowance.share = number
            case _:
                for _ in range(30):
                    if allowance.wait_seconds(now, pair):
                        break
                    allowance.take(now, pair)
                    sent.append((now, pair))
        assert allowance.pairs <= 8
        if account.per_second:
            least = account.per_second * LEAST_FACTOR * allowance.share
            assert least - 1e-9 <= allowance.per_second(now) <= account.per_second * allowance.share + 1e-9
    if account.per_second:
        assert_held([at for at, _ in sent], account.per_second, account.burst)
    if account.pair_seconds:
        for pair in {pair for _, pair in sent}:
            assert_held([at for at, to in sent if to == pair], 1 / account.pair_seconds, account.pair_burst)


def assert_held(times: list[float], per_second: float, burst: int) -> None:
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + per_second * (times[last] - times[first]) + 1e-3


@given(ACCOUNTS, STEPS)
def test_after_its_wait_a_message_may_go(account: Account, steps: list[tuple[int, str, str, float]]) -> None:
    allowance, now = Allowance(account, 1.0), 0.0
    for pause_ms, pair, what, number in steps:
        now += pause_ms / 1000
        if what == "throttled":
            allowance.throttled(now, number, None)
        elif what == "pair":
            allowance.throttled(now, number, pair)
        now += allowance.wait_seconds(now, pair)
        assert allowance.wait_seconds(now, pair) == 0
        allowance.take(now, pair)


@given(st.lists(st.integers(1, 10), min_size=1, max_size=6), st.integers(1, 60), st.integers(2, 40))
def test_workers_together_send_no_more_than_the_account(parts: list[int], burst: int, per_second: int) -> None:
    """Each worker as fast as it may: together the rate, and the burst or one for each."""
    whole = account(per_second=float(per_second), burst=burst)
    workers = [Allowance(whole, part / sum(parts)) for part in parts]
    times = sorted(at for worker in workers for at in send_all(worker, ["a"] * 30))
    assert_held(times, per_second, max(burst, sum(max(1, int(burst * part / sum(parts))) for part in parts)))
