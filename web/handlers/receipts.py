"""Receipts of a message: mark it read, show its trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from domain.errors import Conflict, NotAllowed
from domain.recipients import INTERNAL
from domain.records import MessageAccepted
from domain.status import MessageState, Status, delivery_of
from web.accounts.identities import IDENTITIES
from web.contract.kind_bodies import Names, party_document
from web.contract.message_requests import ReadMessage
from web.contract.response_bodies import counts_of, parties_of
from web.conversations.usernames import USERNAMES
from web.handlers.messages import record_headers, visible_message
from web.history.service import HISTORY
from web.http.app_keys import CLOCK_MS
from web.http.bodies import body_as
from web.http.caller import Caller
from web.http.responses import calendar_ms, iso_utc, json_response
from web.messages.facts import STATUSES
from web.messages.read_marks import READ_MARKS
from web.messages.traces import TRACES, Hop


async def mark_read(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/messages/{message_id}/read``: 200 for a recipient, with the time of the first read; 403 for other
    participants; 409 if it failed. A person's message is for all participants. With ``typing`` the person is shown, for
    some seconds, that an answer is being written.
    """
    word = await body_as(ReadMessage, request) if request.body_exists else ReadMessage()
    found = await visible_message(request, caller)
    address = await _address_of(request, found.message, caller)
    if delivery_of(found.state, address).status is not Status.READ:
        # the caller's other device may have reported it to another process before
        found = await request.app[HISTORY].with_latest_facts(found)
    state = delivery_of(found.state, address)
    if state.status is Status.FAILED:
        raise Conflict(f"this message failed, so it cannot be read: {state.failure_code}")
    if state.status is not Status.READ:
        now_ms = request.app[CLOCK_MS]()
        state = await request.app[STATUSES].read(
            found.message, found.position, address, now_ms, record_headers(request)
        )
        if found.message.is_inbound:
            request.app[READ_MARKS].tell(found.message, now_ms, is_typing=word.typing)
    elif word.typing and found.message.is_inbound:
        request.app[READ_MARKS].tell(found.message, request.app[CLOCK_MS](), is_typing=True)
    return json_response(_read_document(found.message, state))


async def _address_of(request: web.Request, message: MessageAccepted, caller: Caller) -> str:
    """Return the caller's address in the message, also a linked one. Raises ``NotAllowed``."""
    if message.is_inbound:  # for everyone in the conversation, to which the caller belongs
        return f"{INTERNAL}:{caller.user_id}"
    address = message.address_of(caller.user_id)
    if address is not None:
        return address
    if message.sender_id != caller.user_id:
        for identity in await request.app[IDENTITIES].of_user(caller.user_id):
            linked = f"{identity.platform}:{identity.value}"
            if not identity.contested and linked in message.targets:
                return linked
    raise NotAllowed("only a recipient can mark a message as read")


def _read_document(message: MessageAccepted, state: MessageState) -> dict[str, Any]:
    read_at_ms = state.read_at_ms or 0
    return {
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "status": Status.READ,
        "read_at": iso_utc(read_at_ms),
        "timestamp": calendar_ms(read_at_ms),
    }


async def show_trace(request: web.Request, caller: Caller) -> web.Response:
    """``GET /v1/messages/{message_id}/trace``: every hop on record of the message, in the order of their times."""
    found = await visible_message(request, caller)
    names = await request.app[USERNAMES].names_of(parties_of(found))
    hops = await request.app[TRACES].of(found)
    users = dict(zip(found.message.recipients, found.message.recipient_users, strict=False))
    document: dict[str, Any] = {
        "message_id": found.message.message_id,
        "conversation_id": found.message.conversation_id,
        "status": found.state.status,
        "events": [_event(users, hop, names) for hop in hops],
    }
    if len(found.message.targets) > 1:
        document["counts"] = counts_of(found)
    return json_response(document)


def _event(users: Mapping[str, str], hop: Hop, names: Names) -> dict[str, Any]:
    """Return the hop as JSON. ``users``: the user ids of the addresses, which stand in their place."""
    document: dict[str, Any] = {
        "event": hop.event,
        "at": iso_utc(hop.at_ms),
        "timestamp": calendar_ms(hop.at_ms),
        "topic": hop.topic,
        "partition": hop.partition,
        "offset": None if hop.offset < 0 else hop.offset,
        "attempt": hop.attempt or None,  # receipts do not tell
        "provider_status": hop.provider_status or None,
    }
    for name in ("account", "outcome", "reason"):
        if text := getattr(hop, name):
            document[name] = text
    for name in ("duration_ms", "connect_ms", "first_byte_ms"):
        if (milliseconds := getattr(hop, name)) >= 0:
            document[name] = milliseconds
    if hop.answer:
        document["answer"] = _without_numbers(hop.answer, users)
    if hop.recipient_id:
        document["recipient_id"] = users.get(hop.recipient_id) or hop.recipient_id
        document["recipient"] = party_document(document["recipient_id"], names)
        document["channel"] = hop.recipient_id.partition(":")[0]
    return document


def _without_numbers(answer: str, users: Mapping[str, str]) -> str:
    """Return the provider's answer without the addresses of users, which other participants do not see."""
    for address, user in users.items():
        if user:
            value = address.partition(":")[2]
            for form in (value, value.lstrip("+@")):
                answer = answer.replace(form, "…")
    return answer
