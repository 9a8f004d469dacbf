"""Receipts of a message: mark it read, show its trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from domain.errors import Conflict, NotAllowed
from domain.records import MessageAccepted
from domain.status import Fact, MessageState, Status, delivery_of, facts_of
from web.accounts.identities import IDENTITIES
from web.contract.response_bodies import Names, counts_of, parties_of, party_document
from web.conversations.usernames import USERNAMES
from web.handlers.messages import record_headers, visible_message
from web.history.service import HISTORY
from web.http.app_keys import CLOCK_MS, SETTINGS
from web.http.caller import Caller
from web.http.responses import calendar_ms, iso_utc, json_response
from web.messages.facts import STATUSES

_ORDER = {str(word): index for index, word in enumerate(Status)}


async def mark_read(request: web.Request, caller: Caller) -> web.Response:
    """``POST /v1/messages/{message_id}/read``: 200 for a recipient, with the time of the first read; 403 for other
    participants; 409 if it failed.
    """
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
    return json_response(_read_document(found.message, state))


async def _address_of(request: web.Request, message: MessageAccepted, caller: Caller) -> str:
    """Return the caller's address in the message, also a linked one. Raises ``NotAllowed``."""
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
    """``GET /v1/messages/{message_id}/trace``: the recorded events of the message, in the order of their times.

    The message's own offset is stored with it; of later facts only the topic and partition are known.
    """
    settings = request.app[SETTINGS]
    found = await visible_message(request, caller)
    names = await request.app[USERNAMES].names_of(parties_of(found))
    topics = Topics(settings.topic_prefix)
    partition = partition_for(found.message.conversation_id.encode(), settings.partitions)
    facts = sorted(facts_of(found.state), key=lambda fact: (fact.at_ms, _ORDER[fact.status]))
    users = dict(zip(found.message.recipients, found.message.recipient_users, strict=False))
    accepted = {
        "topic": topics.messages,
        "partition": partition,
        "offset": found.position.offset,
        **_event(users, Fact(Status.ACCEPTED, found.position.accepted_at_ms), names),
    }
    later = [
        {"topic": topics.status_updates, "partition": partition, "offset": None, **_event(users, fact, names)}
        for fact in facts
        if fact.status != Status.ACCEPTED
    ]
    document: dict[str, Any] = {
        "message_id": found.message.message_id,
        "conversation_id": found.message.conversation_id,
        "status": found.state.status,
        "events": [accepted, *later],
    }
    if len(found.message.targets) > 1:
        document["counts"] = counts_of(found)
    return json_response(document)


def _event(users: Mapping[str, str], fact: Fact, names: Names) -> dict[str, Any]:
    """``users``: the user ids of the addresses."""
    document: dict[str, Any] = {
        "event": fact.status,
        "at": iso_utc(fact.at_ms),
        "timestamp": calendar_ms(fact.at_ms),
        "attempt": fact.attempt or None,  # receipts do not tell
        "provider_status": fact.failure_code,
    }
    if fact.recipient_id:
        document["recipient_id"] = users.get(fact.recipient_id) or fact.recipient_id
        document["recipient"] = party_document(document["recipient_id"], names)
        document["channel"] = fact.recipient_id.partition(":")[0]
    return document
