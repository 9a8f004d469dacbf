"""A message as calls of the Bot API: pure (Bot API 10.1, "Sending messages"; checked 2026-11-27).

    {"chat_id":123,"text":"hi","reply_parameters":{"message_id":41,"allow_sending_without_reply":true}}

The provider's id of a message is ``<chat id>:<message id>`` here, since Telegram numbers the messages of each chat.
What has no number of its own has a word behind it: ``123:41 reaction``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.attachments import MediaKind, utf16_units
from domain.bodies import Button, Buttons, LinkButton, Menu, Row, interactive_of, location_of, reaction_of
from domain.kinds import INTERACTIVE, LOCATION, REACTION, TEMPLATE
from domain.outcomes import Refused
from domain.ports import Attachment
from domain.records import DeliveryRequested

MOST_CALLBACK_BYTES = 64  # of a button's id
MOST_TEXT = 4_096
_VARIATION = "\ufe0f"  # Telegram's own emoji are without it
_CHAT_ID = re.compile(r"-?[1-9][0-9]{0,15}")
_MESSAGE_ID = re.compile(r"(-?[0-9]+):([0-9]+)(?: (\S+)(?: (\S+))?)?")
# how a file is sent: the method, and the parameter that holds it
FILES: Mapping[MediaKind, tuple[str, str]] = {
    MediaKind.IMAGE: ("sendPhoto", "photo"),
    MediaKind.AUDIO: ("sendAudio", "audio"),
    MediaKind.VIDEO: ("sendVideo", "video"),
    MediaKind.DOCUMENT: ("sendDocument", "document"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Bot API. ``file``: the parameter that takes the file's bytes, empty if there are none to send."""

    method: str
    parameters: Mapping[str, object]
    file: str = ""


@dataclass(frozen=True, slots=True)
class MessageName:
    """The target of a provider's id. ``word`` and ``detail``: "callback" and its id, "edited" and its time."""

    chat_id: int
    message_id: int
    word: str = ""
    detail: str = ""


def name_of(provider_id: str) -> MessageName | None:
    """Return the target of ``provider_id``, ``None`` if it is not one of Telegram's."""
    found = _MESSAGE_ID.fullmatch(provider_id)
    return MessageName(int(found[1]), int(found[2]), found[3] or "", found[4] or "") if found else None


def provider_id_of(chat_id: int, message_id: int, *words: str) -> str:
    """Return the provider's id of a message, or of what concerns it."""
    return " ".join((f"{chat_id}:{message_id}", *words))


def chat_of(request: DeliveryRequested) -> int | Refused:
    """Return the chat to which the message goes."""
    chat = request.to or request.recipient_id.partition(":")[2]
    if _CHAT_ID.fullmatch(chat):
        return int(chat)
    return Refused(
        "unknown-recipient",
        f"a bot can write to a person only by the chat's number, and that of {chat} is not known here: "
        "the person has to write to the bot first, or send to telegram:<number>",
    )


def calls_of(request: DeliveryRequested, attachment: Attachment | None, chat_id: int) -> tuple[Call, ...] | Refused:
    """Return the calls that send the message to ``chat_id``, in order. Raises ``MalformedRecord`` for its ``body``."""
    if request.kind == TEMPLATE:
        return Refused("kind-unsupported", "Telegram has no templates: send the text itself")
    if request.kind == REACTION:
        return _reaction(request, chat_id)
    to: dict[str, object] = {"chat_id": chat_id}
    if quoted := _quoted(request, chat_id):
        to["reply_parameters"] = {"message_id": quoted, "allow_sending_without_reply": True}
    if request.kind == LOCATION:
        return _location(request, to)
    if request.kind == INTERACTIVE:
        return _interactive(request, to)
    if attachment is None:
        return (Call("sendMessage", {**to, "text": request.content}),)
    return tuple(_with_file(attachment, to))


def moved(call: Call, chat_id: int) -> Call:
    """Return the call for the group's new chat, without the quotation: its messages have new numbers there."""
    kept = {name: value for name, value in call.parameters.items() if name != "reply_parameters"}
    return Call(call.method, {**kept, "chat_id": chat_id}, call.file)


def _quoted(request: DeliveryRequested, chat_id: int) -> int:
    """Return the number of the quoted message; 0 if there is none, or it is in another chat."""
    name = name_of(request.target_id)
    return name.message_id if name is not None and name.chat_id == chat_id else 0


def _reaction(request: DeliveryRequested, chat_id: int) -> tuple[Call, ...] | Refused:
    message_id, emoji = _quoted(request, chat_id), reaction_of(request.body).emoji.replace(_VARIATION, "")
    if not message_id:
        return Refused("unknown-target", "the message to react to is not known on Telegram")
    reaction = [{"type": "emoji", "emoji": emoji}] if emoji else []
    return (Call("setMessageReaction", {"chat_id": chat_id, "message_id": message_id, "reaction": reaction}),)


def _location(request: DeliveryRequested, to: Mapping[str, object]) -> tuple[Call, ...]:
    """Return a venue if the place has a name and an address (it needs both), else a point and its words."""
    location = location_of(request.body)
    point = {"latitude": location.latitude, "longitude": location.longitude}
    if location.name and location.address:
        first = Call("sendVenue", {**to, **point, "title": location.name, "address": location.address})
        words = request.content
    else:
        first = Call("sendLocation", {**to, **point})
        words = "\n".join(part for part in (location.name, location.address, request.content) if part)
    return (first, *_texts((words,), to)) if words else (first,)


def _interactive(request: DeliveryRequested, to: Mapping[str, object]) -> tuple[Call, ...] | Refused:
    lines: list[str] = []
    match interactive_of(request.body):
        case LinkButton(title, url):
            rows = [[{"text": title, "url": url}]]
        case Buttons(buttons):
            rows = [_button(button) for button in buttons]
        case Menu() as menu:
            rows = [_button(row) for row in menu.rows]
            lines = [f"{row.title}: {row.description}" for row in menu.rows if row.description]
    if any(not 0 < len(button.get("callback_data", "x").encode()) <= MOST_CALLBACK_BYTES for (button,) in rows):
        return Refused("button-id-too-long", f"Telegram takes button ids of 1 to {MOST_CALLBACK_BYTES} bytes")
    text = "\n".join(line for line in (request.content, *lines) if line)
    if utf16_units(text) > MOST_TEXT:
        text = request.content  # the choices are on the buttons, too
    return (Call("sendMessage", {**to, "text": text, "reply_markup": {"inline_keyboard": rows}}),)


def _button(choice: Button | Row) -> list[dict[str, str]]:
    return [{"text": choice.title, "callback_data": choice.id}]


def _with_file(attachment: Attachment, to: Mapping[str, object]) -> Iterator[Call]:
    plan = attachment.plan
    if plan.kind is MediaKind.LINK:
        yield from _texts(plan.texts, to, quotes_first=True)
        return
    method, parameter = FILES[plan.kind]
    caption = {"caption": plan.caption} if plan.caption else {}
    if attachment.handle:
        yield Call(method, {**to, parameter: attachment.handle, **caption})
    else:
        yield Call(method, {**to, **caption}, parameter)
    yield from _texts(plan.texts, to)


def _texts(texts: tuple[str, ...], to: Mapping[str, object], *, quotes_first: bool = False) -> Iterator[Call]:
    for n, text in enumerate(texts):
        where = to if quotes_first and n == 0 else {"chat_id": to["chat_id"]}
        yield Call("sendMessage", {**where, "text": text})
