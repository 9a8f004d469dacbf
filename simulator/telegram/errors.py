"""The Bot API's errors, and the chaos's decisions in its form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from channels.simulated.chaos.decisions import Answer, Decision
from domain.outcomes import Refusal
from simulator import calls
from simulator.chaos import Chaos

NEW_CODE = 418  # in no table: drift


@dataclass(eq=False)
class TelegramError(Exception):
    """``{"ok":false,"error_code":…,"description":…,"parameters":{…}}``."""

    code: int
    description: str
    parameters: Mapping[str, int] = field(default_factory=dict)

    def response(self) -> web.Response:
        """Return the answer."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = dict(self.parameters)
        return web.json_response(body, status=self.code)


def bad_request(sentence: str) -> TelegramError:
    """Return a 400."""
    return TelegramError(400, f"Bad Request: {sentence}")


def unauthorized() -> TelegramError:
    return TelegramError(401, "Unauthorized")


def blocked() -> TelegramError:
    return TelegramError(403, "Forbidden: bot was blocked by the user")


def conflict(sentence: str) -> TelegramError:
    return TelegramError(409, f"Conflict: {sentence}")


_REFUSALS: Mapping[Refusal, TelegramError] = {
    Refusal.PERMANENT: bad_request("chat not found"),
    Refusal.OPTED_OUT: blocked(),
    Refusal.OUTSIDE_WINDOW: TelegramError(403, "Forbidden: bot can't initiate conversation with a user"),
    Refusal.POLICY: bad_request("not enough rights to send text messages to the chat"),
}


def failure(decision: Decision, chaos: Chaos, has_new_code: bool = False) -> web.Response:
    """Return the answer of a decision other than that the message was taken."""
    if has_new_code:
        return TelegramError(NEW_CODE, "A code that is newer than any table of it").response()
    match decision.answer:
        case Answer.HTML:
            return calls.page(chaos)
        case Answer.ERROR:  # nothing tells whether the message was taken
            return web.Response(status=500, text="Internal Server Error")
        case Answer.BAD_JSON:
            return web.Response(body=b'{"ok":true,"result":{"message_id":', content_type="application/json")
        case Answer.THROTTLED:
            if decision.after_seconds is None:
                return TelegramError(429, "Too Many Requests").response()
            seconds = max(1, math.ceil(decision.after_seconds))
            return TelegramError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds}).response()
        case Answer.UNAUTHORIZED:
            return unauthorized().response()
        case Answer.REFUSED:
            return _REFUSALS[decision.refusal or Refusal.PERMANENT].response()
        case _:
            return TelegramError(502, "Bad Gateway").response()
