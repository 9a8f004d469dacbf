"""The Bot API's answers as outcomes: pure, so that each answer has its line in a test (checked 2026-11-27).

    {"ok":true,"result":{"message_id":41,"chat":{"id":123},"date":1454119029,"text":"hi"}}
    {"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}}

=================  ====================================================================================
error_code         outcome
=================  ====================================================================================
429                ``NotNow`` for exactly ``retry_after`` seconds: of the pair in a group, else of the account
403                ``Refused`` as ``OPTED_OUT``: blocked, deactivated, removed from the group
401, 404           ``Refused`` as ``AUTHENTICATION``: the token, or the option ``base_url``, is wrong
400 with migrate   ``Migrated``: the group became a supergroup, so the message goes to that
other 4xx          ``Refused`` for good
everything else    ``Unknown``: also a 5xx or a 408 may come after the message was taken
=================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from channels.payloads import Payload, part, parts, payload_of, text
from channels.telegram.messages import provider_id_of
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent, Unknown, shortened

LONGEST_AFTER_SECONDS = 86_400.0
CODES: Mapping[int, tuple[str, Refusal]] = {
    400: ("bad-request", Refusal.PERMANENT),
    401: ("unauthorized", Refusal.AUTHENTICATION),
    403: ("blocked", Refusal.OPTED_OUT),
    404: ("unauthorized", Refusal.AUTHENTICATION),
    413: ("file-too-large", Refusal.PERMANENT),
}


@dataclass(frozen=True, slots=True)
class Migrated:
    """The group is the supergroup ``chat_id`` now. Nothing was sent."""

    chat_id: int


def outcome_of(status: int, body: bytes, chat_id: int) -> SendOutcome | Migrated:
    """Return the outcome of a call that sends a message to ``chat_id``."""
    answer = payload_of(body)
    if answer.get("ok") is True and status == 200:
        return _sent(answer.get("result")) or Unknown(f"an answer without the message: {_excerpt(body)}")
    code = answer.get("error_code") if answer.get("ok") is False else None
    if type(code) is not int:
        if status in (401, 404):
            return _refused(status, f"status {status} without the Bot API's answer")
        return Unknown(f"status {status}: {_excerpt(body)}")
    parameters = part(answer, "parameters")
    if type(new_id := parameters.get("migrate_to_chat_id")) is int:
        return Migrated(new_id)
    words = shortened(f"{text(answer, 'description') or 'no description'} ({code})")
    if code in (409, 429):
        scope = Scope.PAIR if code == 429 and chat_id < 0 else Scope.ACCOUNT
        return NotNow(words, retry_after(parameters), scope, is_throttling=code == 429)
    if 400 <= code < 500 and code != 408:
        return _refused(code, words)
    return Unknown(words)


def retry_after(parameters: Payload) -> float | None:
    """Return the seconds to wait as Telegram named them, at most a day; ``None`` if it named none."""
    seconds = parameters.get("retry_after")
    return float(min(max(seconds, 0), LONGEST_AFTER_SECONDS)) if type(seconds) is int else None


def file_id_of(body: bytes, parameter: str) -> str:
    """Return Telegram's id of the file that a call sent as ``parameter``, empty if the answer holds none."""
    result = part(payload_of(body), "result")
    sizes = parts(result, parameter)  # of a photo, the largest last
    return text(sizes[-1] if sizes else part(result, parameter), "file_id")


def _sent(result: object) -> Sent | None:
    """Return ``Sent`` with the id, the time and the chat of the message."""
    if not isinstance(result, dict):
        return None
    message_id, chat_id, date = result.get("message_id"), part(result, "chat").get("id"), result.get("date")
    if type(message_id) is not int or type(chat_id) is not int:
        return None
    return Sent(provider_id_of(chat_id, message_id), date * 1000 if type(date) is int else 0, str(chat_id))


def _refused(code: int, words: str) -> Refused:
    name, kind = CODES.get(code, ("refused", Refusal.PERMANENT))
    if kind is Refusal.AUTHENTICATION:
        words = f"Telegram does not know the account's token, or the option base_url is wrong: {words}"
    return Refused(name, words, kind)


def _excerpt(body: bytes) -> str:
    return repr(body[:800].decode("utf-8", "replace")[:200])
