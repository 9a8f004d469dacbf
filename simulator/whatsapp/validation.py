"""Reads a call to ``/{phone_number_id}/messages``: pure. A fault is answered with Meta's error and its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.graph.errors import GraphError
from simulator.messages import Content, Message
from simulator.whatsapp import limits
from simulator.whatsapp.interactive import interactive
from simulator.whatsapp.reading import needed, object_in, text_in, within
from simulator.whatsapp.templates import template


@dataclass(frozen=True, slots=True)
class Call:
    """A message and its recipient: ``to`` (digits) or ``user_id``, a BSUID. ``is_marketing``: people may opt out."""

    to: str
    user_id: str
    message: Message
    is_template: bool = False
    is_marketing: bool = False
    needs_number: bool = False


@dataclass(frozen=True, slots=True)
class ReadMark:
    """An inbound message is marked as read; ``is_typing``: and the typing indicator is shown."""

    message_id: str
    is_typing: bool = False


def read_call(document: Mapping[str, Any]) -> Call | ReadMark:
    """Return the content of the call. Raises ``GraphError``."""
    if document.get("messaging_product") != "whatsapp":
        raise GraphError(100, "The parameter messaging_product is required.")
    if "status" in document:
        return _read_mark(document)
    recipient_type = document.get("recipient_type", "individual")
    if recipient_type not in ("individual", "group"):
        raise GraphError(100, "Param recipient_type must be one of {INDIVIDUAL, GROUP}")
    if recipient_type == "group":
        raise GraphError(131041, "There is no such group")
    kind = document.get("type", "text")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise GraphError(100, f"Param type must be one of {{{', '.join(sorted(_KINDS)).upper()}}}")
    to, user_id = _recipient(document)
    content = _KINDS[kind](object_in(document, kind) if kind != "contacts" else document)
    token = text_in(document, "biz_opaque_callback_data", "")
    within(token, limits.TOKEN, "biz_opaque_callback_data")
    name = str(content.data.get("name", "")) if kind == "template" else ""
    return Call(
        to,
        user_id,
        Message(content, token, _context(document)),
        is_template=kind == "template",
        is_marketing=name.startswith(limits.MARKETING),
        needs_number=name == limits.NEEDS_NUMBER,
    )


def _read_mark(document: Mapping[str, Any]) -> ReadMark:
    if document["status"] != "read":
        raise GraphError(100, "Param status must be one of {READ}")
    typing = document.get("typing_indicator")
    if typing is not None and (not isinstance(typing, dict) or typing.get("type") != "text"):
        raise GraphError(100, "Param typing_indicator['type'] must be one of {TEXT}")
    return ReadMark(needed(document, "message_id"), typing is not None)


def _recipient(document: Mapping[str, Any]) -> tuple[str, str]:
    to, recipient = document.get("to"), document.get("recipient")
    if to is None and recipient is None:
        raise GraphError(100, "The parameter to is required.")
    if to is not None:  # with both, ``to`` wins
        if not isinstance(to, str) or not limits.NUMBER.fullmatch(to):
            raise GraphError(131009, f"Recipient phone number is not valid: {to!r:.60}")
        return "".join(c for c in to if c.isdecimal()), ""
    if not isinstance(recipient, str) or not limits.USER_ID.fullmatch(recipient):
        raise GraphError(131009, f"Recipient is no business-scoped user id: {recipient!r:.60}")
    return "", recipient


def _context(document: Mapping[str, Any]) -> str:
    if "context" not in document:
        return ""
    message_id = needed(object_in(document, "context"), "message_id")
    if not limits.MESSAGE_ID.fullmatch(message_id):
        raise GraphError(131009, "Param context['message_id'] is not a valid message id")
    return message_id


def _text(value: Mapping[str, Any]) -> Content:
    body = needed(value, "body", "text['body']")
    within(body, limits.TEXT, "text['body']")
    if not isinstance(value.get("preview_url", False), bool):
        raise GraphError(100, "Param text['preview_url'] must be a boolean")
    return Content("text", body, data=value)


def _media(kind: str) -> Callable[[Mapping[str, Any]], Content]:
    def read(value: Mapping[str, Any]) -> Content:
        media_id, link = text_in(value, "id", ""), text_in(value, "link", "")
        if bool(media_id) == bool(link):
            raise GraphError(131008 if not media_id else 131009, f"Param {kind} needs one of id and link")
        if link and not link.startswith(("http://", "https://")):
            raise GraphError(131009, f"Param {kind}['link'] is not a valid URI")
        caption = text_in(value, "caption", "")
        if caption and kind not in limits.WITH_CAPTION:
            raise GraphError(100, f"Unexpected key 'caption' on param {kind}")
        within(caption, limits.CAPTION, f"{kind}['caption']")
        if kind != "document" and "filename" in value:
            raise GraphError(100, f"Unexpected key 'filename' on param {kind}")
        return Content(kind, caption, media_id, value)

    return read


def _location(value: Mapping[str, Any]) -> Content:
    for name, most in (("latitude", 90.0), ("longitude", 180.0)):
        given = value.get(name)
        if given is None:
            raise GraphError(131008, f"The parameter location['{name}'] is required.")
        try:
            number = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else None
        except ValueError:
            number = None
        if number is None or not -most <= number <= most:
            raise GraphError(131009, f"Param location['{name}'] must be a number from {-most:g} to {most:g}")
    words = (text_in(value, "name", ""), text_in(value, "address", ""))
    return Content("location", "\n".join(word for word in words if word), data=value)


def _reaction(value: Mapping[str, Any]) -> Content:
    needed(value, "message_id", "reaction['message_id']")
    emoji = text_in(value, "emoji", "")
    if len(emoji.encode()) > 64:
        raise GraphError(131009, "Param reaction['emoji'] must be one emoji")
    return Content("reaction", emoji, data=value)


def _contacts(document: Mapping[str, Any]) -> Content:
    contacts = document.get("contacts")
    if not isinstance(contacts, list) or not contacts or not all(isinstance(each, dict) for each in contacts):
        raise GraphError(131008, "The parameter contacts is required.")
    if len(contacts) > limits.CONTACTS:
        raise GraphError(131009, f"Param contacts must have at most {limits.CONTACTS} elements")
    names = [
        needed(object_in(each, "name"), "formatted_name", "contacts['name']['formatted_name']") for each in contacts
    ]
    return Content("contacts", ", ".join(names), data={"contacts": contacts})


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], Content]] = {
    "text": _text,
    **{kind: _media(kind) for kind in limits.MEDIA},
    "location": _location,
    "reaction": _reaction,
    "contacts": _contacts,
    "interactive": interactive,
    "template": template,
}
