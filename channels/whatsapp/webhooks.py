"""WhatsApp's webhooks as events: pure (Cloud API, "Webhooks"; checked on 2026-11-27).

    {"object":"whatsapp_business_account","entry":[{"id":"WABA","changes":[{"field":"messages","value":{
       "metadata":{"phone_number_id":"1065…"},"contacts":[…],"messages":[…],"statuses":[…]}}]}]}

All of these are lists, and all their elements count. A field or a list that nobody knows yet gives unknown events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import orjson

from channels.meta import webhooks
from channels.meta.errors import error_of
from channels.payloads import Payload, digest, excerpt, number, part, parts, payload_of, text
from channels.whatsapp.errors import class_of, word_of
from channels.whatsapp.fields import (
    ACCOUNT_FIELDS,
    CONTEXT_LISTS,
    IGNORED_LISTS,
    IGNORED_STATUSES,
    MARKETING,
    PREFERENCES,
    STATUSES,
)
from channels.whatsapp.inbound import event_of
from channels.whatsapp.people import person_of
from domain.errors import MalformedRecord
from domain.inbound import Happening, InboundEvent
from domain.status import Status

OBJECT = "whatsapp_business_account"
_MILLISECONDS_FROM = 10**11  # as seconds that would be the year 5138
_MICROSECONDS_FROM = 10**14
_NUMBER = re.compile(r"(?<!\d)\d{3,6}(?!\d)")  # codes of one or two digits would be any number
MOST_PRICING = 500  # characters: it goes into each fact


class WhatsAppWebhooks:
    """The Cloud API's webhooks, signed with the secret of our application at Meta."""

    secret = webhooks.APP_SECRET
    headers = frozenset({webhooks.SIGNATURE_HEADER})

    def challenge(self, query: Mapping[str, str], verify_token: str) -> str | None:
        return webhooks.challenge(query, verify_token)

    def is_authentic(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        return webhooks.is_signed(headers, body, secret)

    def parse(self, body: bytes, received_at_ms: int) -> Iterator[InboundEvent]:
        """Yield one event for each element. Raises ``MalformedRecord`` if the body is no webhook of WhatsApp."""
        document = payload_of(body)
        if document.get("object") != OBJECT or not isinstance(document.get("entry"), list):
            raise MalformedRecord(f"not a webhook of WhatsApp: its object is {str(document.get('object'))[:40]!r}")
        return _events(document, received_at_ms)


PROTOCOL = WhatsAppWebhooks()


def time_of(element: Payload, otherwise_ms: int) -> int:
    """Return the time of an element in epoch milliseconds. It comes in seconds, at times in milliseconds, or not."""
    time = number(element, "timestamp")
    if time >= _MICROSECONDS_FROM:
        return time // 1_000
    return (time if time >= _MILLISECONDS_FROM else time * 1_000) or otherwise_ms


def _events(document: Payload, now_ms: int) -> Iterator[InboundEvent]:
    for entry in parts(document, "entry"):
        changes = parts(entry, "changes")
        at_ms = time_of({"timestamp": entry.get("time")}, now_ms)
        for change in changes:
            yield from _change(change, text(entry, "id"), at_ms)
        if not changes:
            yield InboundEvent(Happening.UNKNOWN, digest(entry), at_ms, detail=excerpt(entry))


def _change(change: Payload, entry_id: str, now_ms: int) -> Iterator[InboundEvent]:
    """Yield the events of one change; one at least."""
    field, value = text(change, "field"), part(change, "value")
    our_id = text(part(value, "metadata"), "phone_number_id") or entry_id
    if field in ACCOUNT_FIELDS:
        detail = excerpt({field: change.get("value")})
        name = f"{digest(change)} {now_ms}"  # the same news may come again another day
        yield InboundEvent(Happening.ACCOUNT, name, now_ms, our_id=our_id, detail=detail)
        return
    contacts, is_empty = parts(value, "contacts"), True
    for name, elements in value.items():
        if not isinstance(elements, list) or name in CONTEXT_LISTS:
            continue
        for element in parts(value, name):
            is_empty = False
            yield from _element(field, name, element, contacts, our_id, now_ms)
    if is_empty:
        yield InboundEvent(Happening.UNKNOWN, digest(change), now_ms, our_id=our_id, detail=excerpt(change))


def _element(
    field: str, name: str, element: Payload, contacts: Sequence[Payload], our_id: str, now_ms: int
) -> Iterator[InboundEvent]:
    """Yield the event of one element of the list ``name``; of a history one for each message in it."""
    element_id, at_ms = text(element, "id") or digest(element), time_of(element, now_ms)
    if name == "messages" and field == "messages":
        event = event_of(element, contacts, element_id, at_ms)
    elif name == "statuses" and field == "messages":
        event = _status(element, contacts, element_id, at_ms)
    elif name == "user_preferences":
        event = _preference(element, contacts, at_ms)
    elif name == "errors":
        event = InboundEvent(Happening.ACCOUNT, element_id, at_ms, detail=f"error: {error_of(element).detail}")
    elif name == "history":
        yield from _history(element, our_id, now_ms)
        return
    elif name in IGNORED_LISTS or field == "calls" or field == "standby":
        # the id of a call is the same in its beginning and its end
        word = text(element, "event") or text(element, "status") or text(element, "type")
        detail = f"{IGNORED_LISTS.get(name, field)} {word}".strip()
        event = InboundEvent(Happening.IGNORED, f"{element_id} {word}".strip(), at_ms, detail=detail)
    else:
        event = InboundEvent(Happening.UNKNOWN, element_id, at_ms, detail=excerpt({f"{field} {name}": element}))
    yield replace(event, our_id=our_id)


def _status(status: Payload, contacts: Sequence[Payload], wamid: str, at_ms: int) -> InboundEvent:
    word = text(status, "status").lower()
    person = person_of(text(status, "recipient_id"), text(status, "recipient_user_id"), contacts)
    participant = text(status, "recipient_participant_id") or text(status, "recipient_participant_user_id")
    element_id = " ".join(one for one in (wamid, word, participant) if one)
    if text(status, "recipient_type") == "group" or participant:  # READ by one of a group is not READ by all
        return InboundEvent(Happening.IGNORED, element_id, at_ms, detail=f"group {word}", target_id=wamid)
    if word in IGNORED_STATUSES or text(status, "type") == "call":
        return InboundEvent(Happening.IGNORED, element_id, at_ms, detail=word, target_id=wamid)
    known = STATUSES.get(word)
    if known is None or not text(status, "id"):
        return InboundEvent(Happening.UNKNOWN, element_id, at_ms, detail=excerpt(status), target_id=wamid)
    code = detail = None
    if known is Status.FAILED:
        errors = [error_of(error) for error in parts(status, "errors")]
        code = word_of(errors[0].code) if errors else "failed"
        detail = "; ".join(error.detail for error in errors) or "WhatsApp reported a failure without a reason"
    return InboundEvent(
        Happening.RECEIPT,
        element_id,
        at_ms,
        person=person,
        target_id=wamid,
        token=text(status, "biz_opaque_callback_data"),
        status=known,
        failure_code=code,
        failure_detail=detail,
        pricing=_pricing(status.get("pricing")),
    )


def failure_of(status: Status, event: Payload) -> tuple[str | None, str | None]:
    """Return the code and the detail of a failure in a message's history, which has a description alone.

    A number of the table of errors in it is taken for the code.
    """
    if status is not Status.FAILED:
        return None, None
    described = text(event, "error_description")
    numbers = (int(found) for found in _NUMBER.findall(described))
    code = next((word_of(number) for number in numbers if class_of(number) is not None), "failed")
    return code, described or "WhatsApp reported a failure without a reason"


def _pricing(found: object) -> str:
    """Return WhatsApp's price as JSON, the same for the same words; empty without an object of usual size."""
    if not isinstance(found, dict) or not found:
        return ""
    try:
        written = orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError):
        return ""
    return written if len(written) <= MOST_PRICING else ""


def _preference(preference: Payload, contacts: Sequence[Payload], at_ms: int) -> InboundEvent:
    """Return an opt-out, or a way back. A preference has no id of its own."""
    person = person_of(text(preference, "wa_id"), text(preference, "user_id"), contacts)
    category, value = text(preference, "category"), text(preference, "value")
    happening = PREFERENCES.get(value) if category == MARKETING and person.identifiers else None
    if happening is None:
        return InboundEvent(Happening.UNKNOWN, digest(preference), at_ms, detail=excerpt(preference))
    detail = text(preference, "detail") or f"{category} {value}"
    return InboundEvent(happening, digest(preference), at_ms, person=person, detail=detail)


def _history(chunk: Payload, our_id: str, now_ms: int) -> Iterator[InboundEvent]:
    """Yield an event for each old message of a number that came from the application: none of them is news."""
    is_empty = True
    for thread in parts(chunk, "threads"):
        for message in parts(thread, "messages"):
            is_empty = False
            element_id, at_ms = text(message, "id") or digest(message), time_of(message, now_ms)
            yield InboundEvent(
                Happening.IGNORED, f"{element_id} history", at_ms, our_id=our_id, detail="message of the history"
            )
    if is_empty:
        happening = Happening.ACCOUNT if parts(chunk, "errors") else Happening.IGNORED
        yield InboundEvent(happening, digest(chunk), now_ms, our_id=our_id, detail=excerpt({"history": chunk}))
