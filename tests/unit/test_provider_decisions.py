"""The simulated provider's decisions and receipts: repeatable by seed, and in the shares that its faults say."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import pytest

from channels.simulated.chaos.decisions import Answer, decide, in_window
from channels.simulated.chaos.faults import CALL_FAULTS, PRESETS, WORST, Faults, InvalidFaults, Window, from_toml
from channels.simulated.chaos.receipts import FAILED_LATER, PlannedReceipt, plan
from domain.status import Status

TOKENS = [f"m-{n}" for n in range(2_000)]
TAKEN_MS = 1_764_000_000_000


def test_the_same_seed_makes_the_same_decisions_for_each_call_of_a_token() -> None:
    for token in TOKENS[:200]:
        assert [decide(WORST, token, n) for n in range(1, 6)] == [decide(WORST, token, n) for n in range(1, 6)]
        assert plan(WORST, token, 1, TAKEN_MS) == plan(WORST, token, 1, TAKEN_MS)


def test_another_seed_makes_others() -> None:
    other = WORST.changed({"seed": 2})
    assert [decide(WORST, token, 1) for token in TOKENS] != [decide(other, token, 1) for token in TOKENS]


@pytest.mark.parametrize(
    ("name", "answer", "takes"),
    [
        ("timeout_before_share", Answer.HANG, {False}),
        ("timeout_after_share", Answer.HANG, {True}),
        ("cut_before_share", Answer.CUT, {False}),
        ("cut_after_share", Answer.CUT, {True}),
        ("throttle_share", Answer.THROTTLED, {False}),
        ("bare_throttle_share", Answer.THROTTLED, {False}),
        ("unavailable_share", Answer.UNAVAILABLE, {False}),
        ("error_share", Answer.ERROR, {True, False}),
        ("html_share", Answer.HTML, {True, False}),
        ("bad_json_share", Answer.BAD_JSON, {True, False}),
        ("refuse_share", Answer.REFUSED, {False}),
        ("unauthorized_share", Answer.UNAUTHORIZED, {False}),
    ],
)
def test_each_fault_of_a_call_has_its_answer(name: str, answer: Answer, takes: set[bool]) -> None:
    always = Faults().changed({name: 1.0})
    made = [decide(always, token, 1) for token in TOKENS[:100]]
    assert {each.answer for each in made} == {answer}
    assert {each.takes for each in made} == takes


def test_every_fault_of_a_call_is_in_the_list_of_those_that_exclude_each_other() -> None:
    names = [f.name for f in fields(Faults) if f.name.endswith("_share")]
    of_calls = names[: names.index("never_delivered_share")]
    assert set(of_calls) - {"slow_share"} == set(CALL_FAULTS)


def test_faults_come_as_often_as_their_shares_say() -> None:
    faults = Faults().changed({"refuse_share": 0.2, "throttle_share": 0.3, "cut_after_share": 0.1})
    counts = Counter(decide(faults, token, 1).answer for token in TOKENS)
    assert counts[Answer.REFUSED] / len(TOKENS) == pytest.approx(0.2, abs=0.03)
    assert counts[Answer.THROTTLED] / len(TOKENS) == pytest.approx(0.3, abs=0.03)
    assert counts[Answer.CUT] / len(TOKENS) == pytest.approx(0.1, abs=0.03)
    assert counts[Answer.TAKEN] / len(TOKENS) == pytest.approx(0.4, abs=0.03)


def test_a_refused_message_is_refused_at_each_call_and_with_the_same_reason() -> None:
    faults = Faults().changed({"refuse_share": 0.3})
    for token in TOKENS[:300]:
        answers = {decide(faults, token, n).answer for n in range(1, 8)}
        assert answers in ({Answer.REFUSED}, {Answer.TAKEN})


def test_a_slow_call_waits_longer() -> None:
    slow = Faults().changed({"slow_share": 1.0, "slow_seconds": [2, 3], "latency_seconds": [0, 0]})
    assert all(2 <= decide(slow, token, 1).wait_seconds <= 3 for token in TOKENS[:50])


def test_a_window_covers_its_account_for_its_time() -> None:
    faults = Faults(windows=(Window("whatsapp", "a", "unauthorized", 5, 10), Window("*", "*", "silent", 20, 30)))
    assert in_window(faults, "whatsapp", "a", 4.9) is None
    assert in_window(faults, "whatsapp", "b", 7) is None
    assert in_window(faults, "telegram", "a", 7) is None
    found = in_window(faults, "whatsapp", "a", 7)
    assert found is not None
    assert (found.answer, found.takes) == (Answer.UNAUTHORIZED, False)
    everywhere = in_window(faults, "whatsapp", "b", 25)
    assert everywhere is not None
    assert everywhere.answer is Answer.HANG


# Receipts ----------------------------------------------------------------------------------------------------------


def words(planned: list[PlannedReceipt]) -> list[Status]:
    return [each.status for each in planned]


def always(**shares: object) -> list[list[PlannedReceipt]]:
    """The receipts of some messages under faults that always come true."""
    return [plan(Faults().changed(shares), token, 1, TAKEN_MS) for token in TOKENS[:100]]


def test_a_friendly_provider_gives_delivered_and_then_read() -> None:
    for planned in always():
        assert words(planned) == [Status.DELIVERED, Status.READ]
        assert planned[0].after_seconds <= planned[1].after_seconds
        assert planned[0].at_ms <= planned[1].at_ms


def test_receipts_that_never_come() -> None:
    assert {tuple(words(planned)) for planned in always(never_delivered_share=1.0)} == {()}
    assert {tuple(words(planned)) for planned in always(never_read_share=1.0)} == {(Status.DELIVERED,)}


def test_receipts_out_of_order() -> None:
    assert {tuple(words(planned)) for planned in always(disorder_share=1.0)} == {(Status.READ, Status.DELIVERED)}


def test_receipts_that_come_twice() -> None:
    for planned in always(twice_share=1.0):
        assert Counter(words(planned)) == {Status.DELIVERED: 2, Status.READ: 2}


def test_late_receipts() -> None:
    assert all(each.after_seconds >= 60 for planned in always(late_share=1.0, late_seconds=60.0) for each in planned)


def test_a_message_that_fails_later_and_one_that_is_healed_after_that() -> None:
    for planned in always(fail_later_share=1.0):
        assert words(planned) == [Status.FAILED]
        assert planned[0].failure_code == FAILED_LATER
    for planned in always(fail_later_share=1.0, heal_share=1.0):
        assert words(planned) == [Status.FAILED, Status.DELIVERED, Status.READ]


def test_receipts_with_impossible_times() -> None:
    times = {each.at_ms for planned in always(impossible_time_share=1.0) for each in planned}
    assert any(at_ms < 0 for at_ms in times)
    assert any(at_ms > TAKEN_MS * 900 for at_ms in times)
    assert any(TAKEN_MS + 3e11 < at_ms < TAKEN_MS * 2 for at_ms in times)


def test_receipts_without_the_token() -> None:
    assert not any(each.with_token for planned in always(tokenless_share=1.0) for each in planned)


# The values --------------------------------------------------------------------------------------------------------


def test_faults_come_from_toml() -> None:
    text = """
        preset = "worst"
        refuse_share = 0.0
        slow_seconds = [1, 2]
        [[windows]]
        account = "sales"
        kind = "silent"
        to_seconds = 30
    """
    faults = from_toml(text, Faults(seed=7))
    assert faults == WORST.changed(
        {"seed": 7, "refuse_share": 0, "slow_seconds": [1, 2], "windows": [Window("*", "sales", "silent", 0, 30)]}
    )


def test_faults_become_a_document_and_faults_again() -> None:
    faults = WORST.changed({"windows": [{"account": "a", "kind": "cut"}]})
    assert Faults().changed(faults.document()) == faults


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nonsense": 1}, "unknown fault"),
        ({"slow_share": 1.5}, "from 0 to 1"),
        ({"slow_share": "much"}, "expected a number"),
        ({"slow_share": True}, "expected a number"),
        ({"seed": 1.5}, "whole number"),
        ({"slow_seconds": [2, 1]}, "least"),
        ({"slow_seconds": 3}, "two numbers"),
        ({"throttle_share": 0.6, "cut_before_share": 0.6}, "add up"),
        ({"windows": [{"kind": "strange"}]}, "kind"),
        ({"windows": [{"colour": "red"}]}, "windows"),
        ({"windows": "all"}, "list"),
        ({"html_bytes": -1}, "html_bytes"),
    ],
)
def test_impossible_faults_are_refused_with_a_reason(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidFaults, match=words):
        Faults().changed(changes)


@pytest.mark.parametrize(("text", "words"), [("a = ", "not TOML"), ('preset = "x"', "unknown preset")])
def test_a_wrong_file_is_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(InvalidFaults, match=words):
        from_toml(text)


def test_the_worst_preset_has_every_fault_of_a_message() -> None:
    missing = {f.name for f in fields(Faults) if f.name.endswith("_share") and not getattr(WORST, f.name)}
    # lost credentials are a window's, not a call's; the driver "provider" promises tokens
    assert missing == {"unauthorized_share", "tokenless_share"}
    assert set(PRESETS) == {"friendly", "bad", "worst"}
