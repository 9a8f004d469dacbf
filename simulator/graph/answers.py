"""Answers of the Graph API: the chaos's decisions in Meta's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from channels.simulated.chaos.decisions import Answer, Decision
from domain.outcomes import Refusal, Scope
from simulator import calls
from simulator.accounts import WHATSAPP
from simulator.calls import Outcome
from simulator.chaos import Chaos
from simulator.graph.errors import NEW_CODE, OUTSIDE_WINDOW, GraphError
from simulator.posting import UNKNOWN_FIELDS

_REFUSALS: Mapping[Refusal, int] = {
    Refusal.PERMANENT: 131026,
    Refusal.OPTED_OUT: 131050,
    Refusal.OUTSIDE_WINDOW: 131047,
    Refusal.POLICY: 131048,
}
_INSTAGRAM_REFUSALS: Mapping[Refusal, tuple[int, int]] = {
    Refusal.PERMANENT: (100, 2018001),
    Refusal.OPTED_OUT: (551, 1545041),
    Refusal.OUTSIDE_WINDOW: (10, OUTSIDE_WINDOW),
    Refusal.POLICY: (368, 0),
}


def response(channel: str, outcome: Outcome, chaos: Chaos, document: Mapping[str, Any]) -> web.Response:
    """Return the answer to a call; ``document``: the one if all is well."""
    if outcome.has_new_code:
        return error_response(channel, GraphError(NEW_CODE, "This code is newer than any table of it."))
    answer = outcome.decision.answer
    if answer is Answer.TAKEN:
        return web.json_response({**document, **UNKNOWN_FIELDS} if outcome.has_unknown_fields else document)
    if answer is Answer.BAD_JSON:
        return web.Response(body=b'{"messages":[{"id":"wamid.', content_type="application/json")
    return failure(channel, outcome.decision, chaos)


def failure(channel: str, decision: Decision, chaos: Chaos) -> web.Response:
    """Return the answer of a decision other than that the message was taken."""
    if decision.answer is Answer.HTML:
        return calls.page(chaos)
    if decision.answer is Answer.ERROR:  # nothing tells whether the message was taken
        return web.Response(status=500, text="Internal Server Error")
    headers = {} if decision.after_seconds is None else {"Retry-After": f"{decision.after_seconds:g}"}
    return error_response(channel, _error(channel, decision, headers))


def _error(channel: str, decision: Decision, headers: Mapping[str, str]) -> GraphError:
    is_whatsapp = channel == WHATSAPP
    match decision.answer:
        case Answer.THROTTLED:
            code = (131056 if decision.scope is Scope.PAIR else 130429) if is_whatsapp else 613
            return GraphError(code, "Too many messages were sent in a short time.", headers=headers)
        case Answer.UNAUTHORIZED:
            return GraphError(190, "The access token is not valid.", subcode=463)
        case Answer.REFUSED:
            refusal = decision.refusal or Refusal.PERMANENT
            if is_whatsapp:
                return GraphError(_REFUSALS[refusal], "The message is refused for good.")
            code, subcode = _INSTAGRAM_REFUSALS[refusal]
            return GraphError(code, "The message is refused for good.", subcode)
        case _:
            return GraphError(131016 if is_whatsapp else 2, "Try again later.", headers=headers)


def error_response(channel: str, error: GraphError) -> web.Response:
    """Return an error in Meta's form."""
    return web.json_response(error.body(channel), status=error.http_status, headers=dict(error.headers))
