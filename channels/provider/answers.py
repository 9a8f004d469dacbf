"""The provider's answers as outcomes: pure, so that each answer has its line in a test.

* A 2xx with the provider's id is ``Sent``.
* The provider's own error (``{"error":{"code":…}}``) with 429 or 503 is ``NotNow``: it did not take the message.
* 401, and 403 in the provider's form with the code ``unauthorized``, is ``Refused`` with the kind ``AUTHENTICATION``.
  A lost token is no fault of the message: the core stops the account for this kind, and the message waits.
* The provider's own error with another 4xx is ``Refused``.
* Everything else is ``Unknown``: it may come from a proxy, before or after the provider took the message.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown, shortened

LONGEST_AFTER_SECONDS = 86_400.0
_EXCERPT_CHARACTERS = 200


def outcome_of(status: int, body: bytes, retry_after: str | None, now_ms: int) -> SendOutcome:
    """Return the outcome of a call with this answer. ``now_ms``: epoch milliseconds, for a ``Retry-After`` date."""
    document = _object(body)
    if 200 <= status < 300:
        return _sent(document) or Unknown(f"status {status} without the message's id: {_excerpt(body)}")
    error = _object_in(document, "error")
    code, detail = _text(error, "code"), _text(error, "detail")
    words = shortened(f"{detail or code} (status {status})")
    if status == 429 and code:
        scope = Scope.PAIR if _text(error, "scope") == Scope.PAIR else Scope.ACCOUNT
        return NotNow(words, after_seconds(retry_after, now_ms), scope, is_throttling=True)
    if status == 503 and code:
        return NotNow(words, after_seconds(retry_after, now_ms), Scope.ACCOUNT)
    if status == 401 or (status == 403 and code == "unauthorized"):
        detail = f"the channel does not accept the account's credentials: {words}"
        return Refused("unauthorized", shortened(detail), Refusal.AUTHENTICATION)
    if 400 <= status < 500 and code and status not in (408, 429):
        return Refused(code, words, _kind(_text(error, "kind")))
    return Unknown(f"status {status}: {_excerpt(body)}")


def found_of(status: int, body: bytes) -> SendOutcome:
    """Return the outcome of a message by the answer to a look-up for it.

    ``Sent`` if the provider has it, ``NotNow`` if it certainly has not, ``Unknown`` if nothing tells.
    """
    document = _object(body)
    messages = document.get("messages")
    if status != 200 or not isinstance(messages, list):
        return Unknown(f"the look-up was answered with status {status}: {_excerpt(body)}")
    if messages:
        first = messages[0] if isinstance(messages[0], dict) else {}
        return _sent(first) or Unknown(f"the look-up found a message without an id: {_excerpt(body)}")
    if document.get("pending") is not False:
        return Unknown("the channel still works on the call")
    return NotNow("the channel does not have the message")


def after_seconds(text: str | None, now_ms: int) -> float | None:
    """Return the seconds of a ``Retry-After`` (a number or a date; RFC 9110, section 10.2.3), at most a day.

    ``None`` if there is none, or it makes no sense.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now_ms / 1000
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_AFTER_SECONDS) if math.isfinite(seconds) else None


def _sent(document: dict[str, Any]) -> Sent | None:
    provider_id, at_ms = document.get("id"), document.get("at_ms")
    if not isinstance(provider_id, str) or not provider_id:
        return None
    return Sent(provider_id, at_ms if type(at_ms) is int else 0)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _object_in(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _kind(text: str) -> Refusal:
    try:
        return Refusal(text)
    except ValueError:
        return Refusal.PERMANENT


def _excerpt(body: bytes) -> str:
    text = body[: 4 * _EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return repr(text[:_EXCERPT_CHARACTERS]) + ("…" if len(body) > len(text) else "")
