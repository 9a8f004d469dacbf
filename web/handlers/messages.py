"""One message: send it, look at it."""

from __future__ import annotations

import re

from aiohttp import web

from domain.errors import NotAllowed, NotFound, Unavailable
from domain.ids import uuid7
from domain.ports import StoredMessage
from domain.records import MessageAccepted
from domain.status import Status
from web.answers import iso_utc, json_answer
from web.bodies import body_as
from web.dependencies import DEPENDENCIES, Dependencies
from web.documents import message_document
from web.history import merged
from web.middlewares import REQUEST_ID, traceparent_of
from web.schemas import CreateMessage
from web.tokens import Caller

CATCH_UP_SECONDS = 1.5
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NO_SUCH_MESSAGE = "there is no such message"


async def create_message(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/messages``: 202 once the broker has acknowledged, and not before."""
    deps = request.app[DEPENDENCIES]
    wanted = await body_as(CreateMessage, request)
    if wanted.sender_id is not None and wanted.sender_id != caller.user_id:
        raise NotAllowed("sender_id must be the caller's own user_id; it may be left out")
    await deps.memberships.enter(wanted.conversation_id, caller.user_id)
    message = MessageAccepted(
        message_id=uuid7(deps.clock_ms(), deps.randomness(10)),
        conversation_id=wanted.conversation_id,
        sender_id=caller.user_id,
        recipient_id=wanted.recipient_id,
        content=wanted.content,
    )
    headers = {
        "request_id": request[REQUEST_ID].encode(),
        "traceparent": traceparent_of(request.headers).encode(),
    }
    appended = await deps.log.append(message, headers)
    deps.recent.add_message(message, appended.place, appended.partition)
    deps.metrics.messages_accepted.count += 1
    accepted_at_ms = appended.place.accepted_at_ms
    document = {
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "status": Status.ACCEPTED,
        "timestamp": accepted_at_ms,
        "accepted_at": iso_utc(accepted_at_ms),
    }
    return json_answer(document, 202, {"Location": f"/v1/messages/{message.message_id}"})


async def show_message(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/messages/{message_id}``: for those who take part; to a stranger it does not exist."""
    deps = request.app[DEPENDENCIES]
    message_id = request.match_info["message_id"].lower()
    if not _UUID.fullmatch(message_id):
        raise NotFound(_NO_SUCH_MESSAGE)
    found = await _find(deps, message_id)
    try:
        await deps.memberships.check(found.message.conversation_id, caller.user_id)
    except (NotAllowed, NotFound):
        raise NotFound(_NO_SUCH_MESSAGE) from None
    return json_answer(message_document(found))


async def _find(deps: Dependencies, message_id: str) -> StoredMessage:
    """Look where it costs least first: memory, Cassandra, then memory again once the log has been read to its end.

    Raises ``NotFound`` only when that is certain; while a view that may have the message is away, ``Unavailable``.
    """
    recent = deps.recent.get(message_id)
    if recent is not None and recent.message is not None and recent.complete:
        return StoredMessage(recent.message, recent.place, recent.state)
    stored, away = None, None
    try:
        stored = await deps.reader.get(message_id)
    except Unavailable as error:
        away = error
    found = merged(stored, deps.recent.get(message_id))
    if found is not None:
        return found
    caught_up = await deps.follower.catch_up(CATCH_UP_SECONDS)
    found = merged(None, deps.recent.get(message_id))
    if found is not None:
        return found
    if away is not None:
        raise away
    if not caught_up:
        raise Unavailable("not found, but the latest messages cannot be read just now; try again")
    raise NotFound(_NO_SUCH_MESSAGE)
