"""One message: send it, show it."""

from __future__ import annotations

from functools import partial

from aiohttp import web
from multidict import CIMultiDictProxy

from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.idempotency import check_key
from domain.past_states import FOREVER_MS, Moment
from domain.ports import StoredMessage
from domain.status import Status, delivery_of
from domain.usernames import names_user
from web.contract.message_requests import CreateMessage, ShowMessage
from web.contract.response_bodies import accepted_document, message_with_deliveries, parties_of
from web.conversations.service import CONVERSATIONS
from web.conversations.usernames import USERNAMES
from web.history.service import HISTORY, no_such_message
from web.http.app_keys import REQUEST_LIMITS, SETTINGS
from web.http.bodies import body_as, query_as
from web.http.caller import Caller
from web.http.middlewares import traceparent_of
from web.http.request_keys import REQUEST_ID, TRACEPARENT
from web.http.responses import iso_utc, json_response
from web.messages.past import PAST_MESSAGES
from web.messages.sending import NOBODY, SENDING


async def create_message(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/messages``: 202 once the broker has acknowledged, and not before."""
    app = request.app
    sending = app[SENDING]
    key = key_of(request.headers)
    wanted = await body_as(CreateMessage, request)
    ids = await app[USERNAMES].ids_of([wanted.recipient_id]) if names_user(wanted.recipient_id) else NOBODY
    spend = partial(app[REQUEST_LIMITS].take_more_for_user, request, caller.user_id)
    accepted = await sending.one(sending.item(wanted, caller, key, ids), record_headers(request), spend)
    headers = {"Location": f"/v1/messages/{accepted.message.message_id}"}
    if accepted.is_replayed:
        headers["Idempotent-Replayed"] = "true"
    document = accepted_document(accepted.message, accepted.position, app[SETTINGS].expires_hours)
    return json_response(document, 202, headers)


def key_of(headers: CIMultiDictProxy[str]) -> str | None:
    """Return the request's idempotency key, if it has one. Raises ``InvalidInput`` for an invalid or repeated one."""
    key = headers.get("Idempotency-Key")
    if key is None:
        return None
    if len(headers.getall("Idempotency-Key")) > 1:
        raise InvalidInput("Idempotency-Key must be given once", "Idempotency-Key")
    return check_key(key)


def record_headers(request: web.Request) -> dict[str, bytes]:
    """Return the headers of the records written for ``request``."""
    return {
        "request_id": request[REQUEST_ID].encode(),
        "traceparent": (request.get(TRACEPARENT) or traceparent_of(request.headers)).encode(),
    }


async def show_message(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/messages/{message_id}``: for participants of its conversation; 404 for other callers."""
    moment = query_as(ShowMessage, request).moment
    found = await visible_message(request, caller)
    if moment is not None:
        return await _show_past(request, found, moment)
    address = found.message.address_of(caller.user_id)
    if address is not None and delivery_of(found.state, address).status is not Status.READ:
        # it is the caller who reads it, perhaps just now and by another process
        found = await request.app[HISTORY].with_latest_facts(found)
    names = await request.app[USERNAMES].names_of(parties_of(found))
    message_id = found.message.message_id
    reactions = await request.app[HISTORY].reactions(found.message.conversation_id, [message_id])
    hours = request.app[SETTINGS].expires_hours
    return json_response(message_with_deliveries(found, names, hours, reactions.get(message_id, ())))


async def _show_past(request: web.Request, found: StoredMessage, moment: Moment) -> web.Response:
    past = await request.app[PAST_MESSAGES].at(found, moment)
    names = await request.app[USERNAMES].names_of(parties_of(past))
    message_id = past.message.message_id
    found_reactions = await request.app[HISTORY].reactions(past.message.conversation_id, [message_id])
    reactions = [one for one in found_reactions.get(message_id, ()) if moment.has_accepted(one.at_ms)]
    document = message_with_deliveries(past, names, request.app[SETTINGS].expires_hours, reactions)
    for name, at_ms in (("as_of", moment.as_of_ms), ("known_at", moment.known_at_ms)):
        if at_ms != FOREVER_MS:
            document[name] = iso_utc(at_ms)
    return json_response(document)


async def visible_message(request: web.Request, caller: Caller) -> StoredMessage:
    """Return the message in the path. Raises ``NotFound``, also for a message not visible to the caller."""
    found = await request.app[HISTORY].find(request.match_info["message_id"].lower())
    try:
        await request.app[CONVERSATIONS].require_participant(found.message.conversation_id, caller.user_id)
    except (NotAllowed, NotFound):
        raise no_such_message() from None
    return found
