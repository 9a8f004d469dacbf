"""WhatsApp's answers: each class of errors, and each answer that is none of Meta's."""

from __future__ import annotations

import orjson
import pytest

from channels.whatsapp.errors import DOUBT_SECONDS, LONG_SECONDS, WORDS, class_of, refusal_of, word_of
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Unknown

NOW_MS = 1_764_000_000_000


def answered(status: int, code: int, **error: object) -> bytes:
    return orjson.dumps({"error": {"message": f"(#{code}) words", "type": "OAuthException", "code": code, **error}})


def outcome(status: int, code: int, retry_after: str | None = None, **error: object) -> SendOutcome:
    return refusal_of(status, answered(status, code, **error), retry_after, NOW_MS)


@pytest.mark.parametrize("code", [4, 80007, 130429, 131057])
def test_a_throttled_number_pauses(code: int) -> None:
    found = outcome(400, code, "7")
    assert isinstance(found, NotNow)
    assert (found.scope, found.is_throttling, found.after_seconds) == (Scope.ACCOUNT, True, 7.0)


def test_a_throttled_pair_delays_its_conversation_alone() -> None:
    found = outcome(400, 131056)
    assert isinstance(found, NotNow)
    assert (found.scope, found.is_throttling, found.after_seconds) == (Scope.PAIR, True, None)


@pytest.mark.parametrize(
    ("status", "code"), [(500, 1), (503, 2), (500, 131000), (500, 131016), (400, 131053), (400, 135000)]
)
def test_transient_trouble_is_tried_again(status: int, code: int) -> None:
    found = outcome(status, code)
    assert isinstance(found, NotNow)
    assert (found.scope, found.is_throttling) == (Scope.MESSAGE, False)


@pytest.mark.parametrize(
    ("status", "code", "after", "seconds"),
    [
        (500, 1, None, DOUBT_SECONDS),
        (503, 2, "7", DOUBT_SECONDS),
        (500, 131000, "60", 60.0),
        (500, 131016, None, None),
        (400, 131000, None, None),
    ],
)
def test_an_error_that_meta_does_not_know_leaves_time_for_a_status_of_the_message(
    status: int, code: int, after: str | None, seconds: float | None
) -> None:
    found = outcome(status, code, after)
    assert isinstance(found, NotNow)
    assert (found.scope, found.after_seconds) == (Scope.MESSAGE, seconds)


@pytest.mark.parametrize("code", [132069, 133016])
def test_a_limit_by_the_hour_waits_for_the_hour_and_counts_no_attempt(code: int) -> None:
    found = outcome(400, code)
    assert isinstance(found, NotNow)
    assert (found.scope, found.after_seconds) == (Scope.PAIR, LONG_SECONDS)


@pytest.mark.parametrize("code", [131048, 131064, 368, 131031, 130497, 131042, 131044])
def test_a_broken_rule_of_the_account_is_policy(code: int) -> None:
    found = outcome(400, code)
    assert isinstance(found, Refused)
    assert found.kind is Refusal.POLICY


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (100, "invalid-message"),
        (33, "account-unknown"),
        (131008, "invalid-message"),
        (131009, "invalid-message"),
        (131020, "group-gone"),
        (131021, "recipient-is-sender"),
        (131026, "undeliverable"),
        (131030, "recipient-not-allowed"),
        (131041, "group-gone"),
        (131049, "held-back"),
        (130472, "held-back"),
        (131051, "kind-unsupported"),
        (131052, "media-not-found"),
        (131062, "phone-number-needed"),
        (131063, "marketing-off"),
        (132000, "template-parameters"),
        (132001, "template-missing"),
        (132005, "template-too-long"),
        (132007, "template-policy"),
        (132009, "template-refused"),
        (132012, "template-parameters"),
        (132015, "template-paused"),
        (132016, "template-disabled"),
        (132068, "flow-blocked"),
        (137000, "service-off"),
    ],
)
def test_a_message_that_can_never_go_is_refused_with_a_word(code: int, word: str) -> None:
    found = outcome(400, code)
    assert isinstance(found, Refused)
    assert (found.kind, found.code) == (Refusal.PERMANENT, word)


def test_outside_the_window_and_opted_out_have_kinds_of_their_own() -> None:
    window, opted = outcome(400, 131047), outcome(400, 131050)
    assert isinstance(window, Refused)
    assert isinstance(opted, Refused)
    assert (window.kind, window.code) == (Refusal.OUTSIDE_WINDOW, "outside-window")
    assert (opted.kind, opted.code) == (Refusal.OPTED_OUT, "opted-out")


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 0), (400, 3), (400, 10), (401, 190), (403, 200), (403, 299), (403, 131005), (500, 131045), (400, 131037)],
)
def test_an_account_that_must_not_send_is_parked(status: int, code: int) -> None:
    found = outcome(status, code)
    assert isinstance(found, Refused)
    assert found.kind is Refusal.AUTHENTICATION


@pytest.mark.parametrize(
    ("status", "body", "retry_after", "expected"),
    [
        pytest.param(429, b"slow down", None, NotNow("", None, Scope.ACCOUNT, is_throttling=True), id="429 of a proxy"),
        pytest.param(503, b"", "30", NotNow("", 30.0, Scope.ACCOUNT), id="503 that says when"),
        pytest.param(503, b"<html>", None, Unknown(""), id="503 that does not"),
        pytest.param(502, b"<html>bad gateway</html>", None, Unknown(""), id="a page"),
        pytest.param(500, b'{"error":{"code":"1"}}', None, Unknown(""), id="a code that is a text"),
        pytest.param(401, b"", None, Refused("unauthorized", "", Refusal.AUTHENTICATION), id="401 without words"),
        pytest.param(400, b"no", None, Unknown(""), id="400 without Meta's error"),
        pytest.param(408, answered(408, 77), None, Unknown(""), id="408"),
        pytest.param(400, answered(400, 999_999), None, Refused("whatsapp-999999", ""), id="a new code with a 4xx"),
        pytest.param(500, answered(500, 999_999), None, Unknown(""), id="a new code with a 5xx"),
        pytest.param(400, b'{"error":[]}', None, Unknown(""), id="an error of another shape"),
        pytest.param(302, b"", None, Unknown(""), id="a redirect"),
    ],
)
def test_answers_that_are_not_in_the_table(
    status: int, body: bytes, retry_after: str | None, expected: SendOutcome
) -> None:
    found = refusal_of(status, body, retry_after, NOW_MS)
    assert type(found) is type(expected)
    for name in ("after_seconds", "scope", "is_throttling", "kind", "code"):
        assert getattr(found, name, None) == getattr(expected, name, None)


def test_the_code_decides_and_the_words_are_for_people() -> None:
    found = outcome(400, 131026, error_data={"details": "Receiver is incapable."}, error_subcode=2494010)
    assert isinstance(found, Refused)
    assert found.detail == "(#131026) words: Receiver is incapable. (131026/2494010)"


def test_no_code_is_in_two_classes() -> None:
    codes = [code for words in WORDS.values() for of_word in words.values() for code in of_word]
    assert len(codes) == len(set(codes))
    assert {class_of(code) is not None for code in codes} == {True}
    assert word_of(5) == "whatsapp-5"
