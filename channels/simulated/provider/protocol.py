"""The simulated provider's own protocol: how a call and its answer look on the wire.

POST /v1/<channel>/<account>/messages
{"token":"0193…","conversation":"c-1","address":"whatsapp:+5511999990000","text":"hi","attempt":1,"media":""}

201 {"id":"prov.7.0193…","at_ms":1732312312345}
422 {"error":{"code":"opted-out","detail":"…","kind":"opted-out"}}
429 {"error":{"code":"throttled","detail":"…","scope":"account"}}     Retry-After: 1
401 and 503 in the same form
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.simulated.chaos.decisions import Answer, Decision
from channels.simulated.provider.books import Message, Taken

MAX_BODY_BYTES = 256 * 1024
_TEXTS = ("token", "conversation", "address", "text")


class BadRequest(ValueError):
    """A call is not in the form of the protocol."""


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An answer as it goes over the wire."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def read_message(channel: str, account: str, body: bytes) -> Message:
    """Return the message in a call. Raises ``BadRequest``."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise BadRequest(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadRequest("not a JSON object")
    for name in _TEXTS:
        if not isinstance(document.get(name), str):
            raise BadRequest(f"{name} is no text")
    attempt, media = document.get("attempt", 1), document.get("media", "")
    if type(attempt) is not int or not isinstance(media, str) or not document["token"]:
        raise BadRequest("token, attempt or media is wrong")
    token, conversation, address, text = (document[name] for name in _TEXTS)
    return Message(channel, account, token, conversation, address, text, attempt, media)


def answer_to(decision: Decision, taken: Taken | None, html_bytes: int) -> WireAnswer:
    """Return the answer of ``decision``; ``taken``: the message, if it was taken."""
    match decision.answer:
        case Answer.TAKEN:
            assert taken is not None
            return _json(201, {"id": taken.provider_id, "at_ms": taken.at_ms})
        case Answer.THROTTLED:
            headers = {} if decision.after_seconds is None else {"Retry-After": f"{decision.after_seconds:g}"}
            return error(429, "throttled", "too many messages of this account", headers, scope=decision.scope)
        case Answer.UNAVAILABLE:
            return error(503, "unavailable", "the service does not take messages at the moment")
        case Answer.REFUSED:
            kind = str(decision.refusal)
            return error(422, kind, f"the message is refused for good: {kind}", kind=kind)
        case Answer.UNAUTHORIZED:
            return error(401, "unauthorized", "the access token is not valid")
        case Answer.HTML:
            page = b"<!DOCTYPE html><title>Bad Gateway</title><body>" + b"<p>Something went wrong.</p>" * 20_000
            return WireAnswer(502, page[:html_bytes], "text/html")
        case Answer.BAD_JSON:
            return WireAnswer(200, b'{"id":"prov.')
        case _:
            return error(500, "internal", "an unexpected error; the message may have been sent")


def error(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: str) -> WireAnswer:
    """Return an error in the provider's own form."""
    return _json(status, {"error": {"code": code, "detail": detail, **more}}, headers)


def _json(status: int, document: Any, headers: Mapping[str, str] | None = None) -> WireAnswer:
    return WireAnswer(status, json.dumps(document).encode(), headers=headers or {})
