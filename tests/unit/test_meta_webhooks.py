"""What WhatsApp and Instagram share: the verification request, the signature, the form of errors."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

import pytest

from channels.meta.errors import GraphError, graph_error
from channels.meta.webhooks import SIGNATURE_HEADER, challenge, is_signed

BODY = '{"object":"instagram","entry":[{"text":"olá"}]}'.encode()
SECRET = "app-s3cret"
SIGNATURE = hmac.new(SECRET.encode(), BODY, sha256).hexdigest()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "t0ken", "hub.challenge": "1158"}, "1158"),
        ({"hub.mode": "subscribe", "hub.verify_token": "other", "hub.challenge": "1158"}, None),
        ({"hub.mode": "unsubscribe", "hub.verify_token": "t0ken", "hub.challenge": "1158"}, None),
        ({"hub.verify_token": "t0ken", "hub.challenge": "1158"}, None),
        ({"hub.mode": "subscribe", "hub.challenge": "1158"}, None),
        ({"hub.mode": "subscribe", "hub.verify_token": "t0ken"}, None),
        ({"hub.mode": "subscribe", "hub.verify_token": "t\udc80", "hub.challenge": "1158"}, None),
        ({}, None),
    ],
)
def test_the_challenge_is_answered_to_who_knows_the_token(query: Mapping[str, str], expected: str | None) -> None:
    assert challenge(query, "t0ken") == expected


def test_without_a_verify_token_nobody_is_answered() -> None:
    assert challenge({"hub.mode": "subscribe", "hub.verify_token": "", "hub.challenge": "1"}, "") is None


@pytest.mark.parametrize(
    ("header", "is_ours"),
    [
        (f"sha256={SIGNATURE}", True),
        (f"SHA256={SIGNATURE.upper()}", True),
        (SIGNATURE, False),
        (f"sha1={SIGNATURE}", False),
        (f"sha256={SIGNATURE[:-1]}", False),
        (f"sha256={SIGNATURE}0", False),
        (f"sha256={'0' * 64}", False),
        ("sha256=", False),
        ("sha256=\udc80", False),
        ("", False),
    ],
)
def test_a_body_is_authentic_with_its_signature(header: str, is_ours: bool) -> None:
    assert is_signed({SIGNATURE_HEADER: header}, BODY, SECRET) is is_ours


def test_another_body_or_no_secret_is_not_authentic() -> None:
    headers = {SIGNATURE_HEADER: f"sha256={SIGNATURE}"}
    assert not is_signed(headers, BODY + b" ", SECRET)
    assert not is_signed(headers, BODY, "")
    assert not is_signed({}, BODY, SECRET)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": {"code": 4, "message": "(#4) limit"}}, GraphError(4, 0, "(#4) limit (4)")),
        (
            {"error": {"code": 10, "error_subcode": 2534022, "message": "outside", "error_data": {"details": "24 h"}}},
            GraphError(10, 2534022, "outside: 24 h (10/2534022)"),
        ),
        ({"error": {"code": 1}}, GraphError(1, 0, "no message (1)")),
        ({"error": {"code": "1"}}, None),
        ({"error": "x"}, None),
        ({}, None),
    ],
)
def test_an_error_has_its_code_and_its_words(document: Mapping[str, object], expected: GraphError | None) -> None:
    assert graph_error(document) == expected
