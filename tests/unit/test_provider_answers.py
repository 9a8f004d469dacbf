"""The table of the provider's answers and their outcomes."""

from __future__ import annotations

import pytest

from channels.provider.answers import after_seconds, found_of, outcome_of
from domain.outcomes import MOST_TEXT, NotNow, Refusal, Refused, Scope, Sent, Unknown

NOW_MS = 1_764_000_000_000
OWN = b'{"error":{"code":"%s","detail":"so it is"}}'


@pytest.mark.parametrize(
    ("status", "body", "retry_after", "expected"),
    [
        (201, b'{"id":"p-1","at_ms":5}', None, Sent("p-1", 5)),
        (200, b'{"id":"p-1","at_ms":5}', None, Sent("p-1", 5)),
        (201, b'{"id":"p-1"}', None, Sent("p-1", 0)),
        (429, OWN % b"throttled", None, NotNow("so it is (status 429)", None, Scope.ACCOUNT, is_throttling=True)),
        (429, OWN % b"throttled", "3600", NotNow("so it is (status 429)", 3600.0, Scope.ACCOUNT, is_throttling=True)),
        (
            429,
            b'{"error":{"code":"slow","scope":"pair"}}',
            "2",
            NotNow("slow (status 429)", 2.0, Scope.PAIR, True),
        ),
        (503, OWN % b"unavailable", None, NotNow("so it is (status 503)", None, Scope.ACCOUNT)),
        (503, OWN % b"unavailable", "7", NotNow("so it is (status 503)", 7.0, Scope.ACCOUNT)),
        (422, OWN % b"nobody", None, Refused("nobody", "so it is (status 422)")),
        (
            422,
            b'{"error":{"code":"stop","detail":"no more","kind":"opted-out"}}',
            None,
            Refused("stop", "no more (status 422)", Refusal.OPTED_OUT),
        ),
        (403, OWN % b"policy", None, Refused("policy", "so it is (status 403)")),
        (400, OWN % b"bad", None, Refused("bad", "so it is (status 400)")),
    ],
)
def test_a_clear_answer_has_a_clear_outcome(
    status: int, body: bytes, retry_after: str | None, expected: object
) -> None:
    assert outcome_of(status, body, retry_after, NOW_MS) == expected


@pytest.mark.parametrize(("status", "body"), [(401, b""), (401, OWN % b"x"), (403, OWN % b"unauthorized")])
def test_lost_credentials_are_the_accounts_and_not_the_messages(status: int, body: bytes) -> None:
    outcome = outcome_of(status, body, None, NOW_MS)
    assert isinstance(outcome, Refused)
    assert outcome.kind is Refusal.AUTHENTICATION
    assert "credentials" in outcome.detail


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b'{"id":"p'),
        (200, b'{"id":""}'),
        (200, b'{"id":7}'),
        (200, b"[]"),
        (204, b""),
        (302, b""),
        (400, b"<html>"),
        (403, b"<html>"),
        (404, b"<html>"),
        (408, OWN % b"timeout"),
        (429, b"<html>"),
        (500, OWN % b"internal"),
        (500, b"<html>"),
        (502, b"<html>" * 60_000),
        (503, b"<html>"),
        (503, b'{"error":"text"}'),
        (504, OWN % b"gateway"),
    ],
)
def test_an_answer_that_may_come_after_the_taking_is_unknown(status: int, body: bytes) -> None:
    outcome = outcome_of(status, body, None, NOW_MS)
    assert isinstance(outcome, Unknown)
    assert len(outcome.detail) < 400


def test_texts_are_short() -> None:
    outcome = outcome_of(422, b'{"error":{"code":"x","detail":"%s"}}' % (b"y" * 50_000), None, NOW_MS)
    assert isinstance(outcome, Refused)
    assert len(outcome.detail) == MOST_TEXT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("999999999", 86_400.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Mon, 24 Nov 2025 16:01:00 GMT", 60.0),
        ("Mon, 24 Nov 2025 15:00:00 GMT", 0.0),
        ("Mon, 24 Nov 99999 15:00:00 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str | None, expected: float | None) -> None:
    assert after_seconds(text, NOW_MS) == expected


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"messages":[{"id":"p-1","at_ms":5}],"pending":false}', Sent),
        (200, b'{"messages":[{"id":"p-1","at_ms":5}],"pending":true}', Sent),
        (200, b'{"messages":[],"pending":false}', NotNow),
        (200, b'{"messages":[],"pending":true}', Unknown),
        (200, b'{"messages":[]}', Unknown),
        (200, b'{"messages":[{}],"pending":false}', Unknown),
        (200, b'{"messages":[7],"pending":false}', Unknown),
        (200, b"", Unknown),
        (503, OWN % b"unavailable", Unknown),
        (404, b'{"messages":[],"pending":false}', Unknown),
    ],
)
def test_a_look_up_is_evidence_only_if_it_is_clear(status: int, body: bytes, kind: type) -> None:
    assert type(found_of(status, body)) is kind
