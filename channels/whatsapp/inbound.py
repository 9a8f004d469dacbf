"""A person's message in a webhook as an event: pure (Cloud API, "Messages webhook"; checked on 2026-11-27).

{"from":"5511…","from_user_id":"BR.1502…","id":"wamid.IN","timestamp":"1749416383","type":"text",
 "text":{"body":"oi"},"context":{"from":"15550783881","id":"wamid.OUT"}}
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from channels.meta.errors import error_of
from channels.payloads import Payload, decimal, excerpt, number, part, parts, text
from channels.whatsapp.fields import (
    COMMON_KEYS,
    FILES,
    IDENTITY_CHANGES,
    IGNORED_MESSAGES,
    IGNORED_SYSTEM,
)
from channels.whatsapp.people import person_of, phone_of, user_id_of
from domain.inbound import Happening, InboundEvent, Media, Person
from domain.kinds import BUTTON_REPLY, CONTACTS, LOCATION, REACTION, STICKER, TEXT, UNSUPPORTED

AD = "ad"  # ``detail`` of a message by which a person came from an advertisement: its window is longer


class Content(NamedTuple):
    """A message's content, in the words of ``domain/kinds.py``."""

    kind: str
    content: str = ""
    body: Mapping[str, object] = {}
    media: tuple[Media, ...] = ()


def event_of(message: Payload, contacts: Sequence[Payload], element_id: str, at_ms: int) -> InboundEvent:
    """Return the event of one element of ``messages``."""
    kind = text(message, "type") or next((key for key in message if key not in COMMON_KEYS), "")
    event = InboundEvent(Happening.MESSAGE, element_id, at_ms, person=_person(message, contacts))
    if kind == "system":
        return _system(event, message)
    if text(message, "group_id"):
        return replace(event, happening=Happening.IGNORED, detail="message of a group")
    if kind in IGNORED_MESSAGES:
        original = text(part(message, kind), "original_message_id")
        return replace(event, happening=Happening.IGNORED, detail=kind, target_id=original)
    if not event.person.identifiers:
        return replace(event, happening=Happening.UNKNOWN, detail=excerpt(message))
    if kind == "reaction":
        reaction = part(message, kind)
        target_id, emoji = text(reaction, "message_id"), text(reaction, "emoji")
        reacted = replace(event, happening=Happening.REACTION, kind=REACTION, target_id=target_id)
        return replace(reacted, body={"emoji": emoji})
    if kind == "edit":  # the new version, as a message that quotes the former one
        edit = part(message, kind)
        return _with(event, _content_of(part(edit, "message")), text(edit, "original_message_id"))
    return _with(event, _content_of(message, kind), text(part(message, "context"), "id"), _detail(message))


def _with(event: InboundEvent, content: Content, target_id: str, detail: str = "") -> InboundEvent:
    kind, words, body, media = content
    return replace(event, kind=kind, content=words, body=body, media=media, target_id=target_id, detail=detail)


def _person(message: Payload, contacts: Sequence[Payload]) -> Person:
    return person_of(text(message, "from"), text(message, "from_user_id"), contacts)


def _detail(message: Payload) -> str:
    return AD if part(message, "referral") else ""


def _system(event: InboundEvent, message: Payload) -> InboundEvent:
    """Return a change of identifiers. These messages have no ``contacts``: a new number, or a new id, is beside the
    old ones.
    """
    system = part(message, "system")
    kind, former = text(system, "type"), event.person
    new_phone = phone_of(text(system, "wa_id") or text(system, "new_wa_id"))
    new_id = user_id_of(text(system, "user_id"))
    if kind in IDENTITY_CHANGES and former.identifiers and (new_phone or new_id):
        old_id = user_id_of(text(system, "previous_user_id")) or former.user_id
        phone = new_phone or ("" if kind == "user_changed_number" else former.phone)
        person = Person(phone, new_id or old_id, former.handle, former.name)
        former = replace(former, user_id=old_id)
        return replace(event, happening=Happening.IDENTITY, person=person, former=former, detail=kind)
    if kind in IGNORED_SYSTEM:
        return replace(event, happening=Happening.IGNORED, detail=kind)
    return replace(event, happening=Happening.UNKNOWN, detail=excerpt(message))


def _content_of(message: Payload, kind: str = "") -> Content:
    kind = kind or text(message, "type")
    if kind in FILES and part(message, kind):
        media = part(message, kind)
        if kind == "sticker":
            return Content(STICKER, media=(_media(media, kind),))
        return Content(TEXT, text(media, "caption"), media=(_media(media, kind),))
    reader = _READERS.get(kind)
    content = reader(message) if reader else None
    return content or _unsupported(message, kind)


def _text(message: Payload) -> Content | None:
    body = part(message, "text").get("body")
    return Content(TEXT, body) if isinstance(body, str) else None


def _location(message: Payload) -> Content | None:
    location = part(message, "location")
    latitude, longitude = _degrees(location, "latitude"), _degrees(location, "longitude")
    if latitude is None or longitude is None:
        return None
    words = {name: text(location, name) for name in ("name", "address") if text(location, name)}
    return Content(LOCATION, body={"latitude": latitude, "longitude": longitude, **words})


def _degrees(location: Payload, name: str) -> float | None:
    value = location.get(name)
    if not isinstance(value, str):
        return decimal(location, name)
    try:
        return decimal({name: float(value)}, name)
    except ValueError:
        return None


def _contacts(message: Payload) -> Content | None:
    found = [_contact(contact) for contact in parts(message, "contacts")]
    return Content(CONTACTS, body={"contacts": found}) if found else None


def _contact(contact: Payload) -> Mapping[str, object]:
    name = part(contact, "name")
    words = (text(name, "first_name"), text(name, "last_name"))
    phones = [text(phone, "phone") or text(phone, "wa_id") for phone in parts(contact, "phones")]
    return {
        "name": text(name, "formatted_name") or " ".join(word for word in words if word),
        "phones": [phone for phone in phones if phone],
    }


def _interactive(message: Payload) -> Content | None:
    interactive = part(message, "interactive")
    kind = text(interactive, "type")
    reply = part(interactive, kind)
    if kind in ("button_reply", "list_reply"):
        return _pressed(text(reply, "id"), text(reply, "title"))
    if kind:  # nfm_reply is a completed form; its answers are JSON in a text
        response = text(reply, "response_json")
        body = {"type": kind, **({"response": response} if response else {})}
        return Content(UNSUPPORTED, text(reply, "body") or text(reply, "name"), body)
    return None


def _button(message: Payload) -> Content | None:
    button = part(message, "button")
    return _pressed(text(button, "payload") or text(button, "text"), text(button, "text")) if button else None


def _pressed(id: str, title: str) -> Content:
    return Content(BUTTON_REPLY, title, {"id": id, "title": title})


def _order(message: Payload) -> Content:
    order = part(message, "order")
    items = [
        f"{text(item, 'product_retailer_id')} × {number(item, 'quantity')}" for item in parts(order, "product_items")
    ]
    return Content(UNSUPPORTED, "\n".join(line for line in (text(order, "text"), *items) if line), {"type": "order"})


def _unsupported(message: Payload, kind: str) -> Content:
    """Return a message of a kind that we, or WhatsApp, cannot show: its type, and what is said of it."""
    named = text(part(message, "unsupported"), "type") or kind or "unknown"
    errors = [error_of(error).detail for error in parts(message, "errors")]
    inner = part(message, kind)
    words = [text(inner, name) for name in ("body", "text", "title", "name", "caption", "description")]
    return Content(UNSUPPORTED, next((word for word in words if word), errors[0] if errors else ""), {"type": named})


_READERS: Mapping[str, Callable[[Payload], Content | None]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
}


def _media(media: Payload, kind: str) -> Media:
    return Media(
        text(media, "id"),
        text(media, "url"),
        "audio" if kind == "voice" else kind,
        text(media, "mime_type") or FILES[kind],
        text(media, "filename"),
        _hexadecimal(text(media, "sha256")),
        number(media, "file_size"),
    )


def _hexadecimal(hash: str) -> str:
    """Return the hash, which comes in Base64, as hexadecimal; empty if it is no SHA-256."""
    try:
        digest = base64.b64decode(hash, validate=True)
    except (binascii.Error, ValueError):
        return ""
    if len(digest) == 48 and len(hash) == 64:  # it was hexadecimal already
        return hash.lower()
    return digest.hex() if len(digest) == 32 else ""
