"""The Instagram API's answers as outcomes: pure, so that each answer has its line in a test (checked 2026-11-27).

    {"recipient_id":"<IGSID>","message_id":"mid.…"}
    {"error":{"message":"(#10) outside of allowed window","type":"IGApiException","code":10,"error_subcode":2534022}}

Codes decide, never the text. A code that is in no list is permanent with a 4xx, unknown with a 408 or a 5xx. So is
"unknown error" with a 5xx but 503: Instagram echoes no token that could tell later whether it took the message.
"""

from __future__ import annotations

from channels.meta.errors import GraphError, graph_error
from channels.payloads import payload_of, text
from channels.provider.answers import after_seconds
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown, shortened

# too many calls: of the app, the page, the account (the last two have only Meta's general pages as their source [?])
THROTTLED = frozenset({4, 17, 32, 613, 80002, 80006})
TRANSIENT = frozenset({1, 2, 1200})
DOUBTFUL = frozenset({1, 2})
UNAVAILABLE = 503  # by its meaning nothing was served
AUTHENTICATION = frozenset({0, 3, 10, 102, 190, *range(200, 300)})
POLICY = frozenset({368, 131031})
# (code, subcode): the person's last message is older than 24 hours (7 days with the tag); the first is of Messenger
OUTSIDE_WINDOW = frozenset({(10, 2018278), (10, 2534022)})
# the person blocked us, or is not there: it looks the same, so it is no opt-out [?]
UNAVAILABLE_PERSON = frozenset({(551, 0), (200, 1545041), (551, 1545041), (230, 0)})
_UNAUTHORIZED = (401, 403)


def outcome_of(status: int, body: bytes, retry_after: str | None, now_ms: int) -> SendOutcome:
    """Return the outcome of a call that sends. ``now_ms``: epoch milliseconds, for a ``Retry-After`` date."""
    document = payload_of(body)
    if status == 200 and (mid := text(document, "message_id")):
        return Sent(mid, now_ms, text(document, "recipient_id"))
    error = graph_error(document)
    if error is None:
        return _without_error(status, body, retry_after, now_ms)
    return _classified(error, status, after_seconds(retry_after, now_ms))


def is_done(status: int, body: bytes) -> bool:
    """Return whether a call without a message of its own (a reaction, a read mark) was carried out."""
    document = payload_of(body)
    return status == 200 and ("recipient_id" in document or document.get("success") is True)


def _classified(error: GraphError, status: int, wait: float | None) -> SendOutcome:
    detail = shortened(error.detail)
    code, pair = error.code, (error.code, error.subcode)
    if status == 429 or code in THROTTLED:
        return NotNow(detail, wait, Scope.ACCOUNT, is_throttling=True)
    if pair in OUTSIDE_WINDOW:
        return Refused("outside-window", detail, Refusal.OUTSIDE_WINDOW)
    if pair in UNAVAILABLE_PERSON:
        return Refused("person-unavailable", detail)
    if code in TRANSIENT and not (code in DOUBTFUL and status >= 500 and status != UNAVAILABLE):
        return NotNow(detail, wait)
    if code in POLICY:
        return Refused(str(code), detail, Refusal.POLICY)
    if code in AUTHENTICATION:
        return Refused("unauthorized", detail, Refusal.AUTHENTICATION)
    if status == 503 and wait is not None:
        return NotNow(detail, wait, Scope.ACCOUNT)
    if status >= 500 or status < 400 or status == 408:
        return Unknown(detail)
    return Refused(str(code), detail)


def _without_error(status: int, body: bytes, retry_after: str | None, now_ms: int) -> SendOutcome:
    """Return the outcome of an answer that is not the API's: a proxy's, or cut."""
    detail = f"status {status}: {body[:800].decode('utf-8', 'replace')[:200]!r}"
    wait = after_seconds(retry_after, now_ms)
    if status == 429 or (status == 503 and wait is not None):
        return NotNow(detail, wait, Scope.ACCOUNT, is_throttling=status == 429)
    if status in _UNAUTHORIZED:
        return Refused("unauthorized", detail, Refusal.AUTHENTICATION)
    return Unknown(detail)
