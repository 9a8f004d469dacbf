"""A message as calls of the Bot API: pure (Bot API 10.1, "Sending messages"; checked 2026-11-27).

    {"chat_id":123,"text":"hi","reply_parameters":{"message_id":41,"allow_sending_without_reply":true}}

The provider's id of a message is ``<chat id>:<message id>`` here, since Telegram numbers the messages of each chat.
What has no number of its own has a word behind it: ``123:41 reaction``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.attachments import MediaKind
from domain.kinds import INTERACTIVE, LOCATION, REACTION, TEMPLATE
from domain.outcomes import Refused
from domain.ports import Attachment
from domain.records import DeliveryRequested

MOST_CALLBACK_BYTES = 64  # of a button's id
MOST_TEXT = 4_096
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
    """What a provider's id names. ``word`` and ``detail``: "callback" and its id, "edited" and its time."""

    chat_id: int
    message_id: int
    word: str = ""
    detail: str = ""


def name_of(provider_id: str) -> MessageName | None:
    """Return what ``provider_id`` names, ``None`` if it is not one of Telegram's."""
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
    """Return the calls that send the message to ``chat_id``, in order."""
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
    message_id, emoji = _quoted(request, chat_id), _text(request.body, "emoji")
    if not message_id:
        return Refused("unknown-target", "the message to react to is not known on Telegram")
    reaction = [{"type": "emoji", "emoji": emoji}] if emoji else []
    return (Call("setMessageReaction", {"chat_id": chat_id, "message_id": message_id, "reaction": reaction}),)


def _location(request: DeliveryRequested, to: Mapping[str, object]) -> tuple[Call, ...]:
    """Return a venue if the place has a name and an address (it needs both), else a point and its words."""
    name, address = _text(request.body, "name"), _text(request.body, "address")
    point = {"latitude": request.body.get("latitude"), "longitude": request.body.get("longitude")}
    if name and address:
        first, words = Call("sendVenue", {**to, **point, "title": name, "address": address}), request.content
    else:
        first = Call("sendLocation", {**to, **point})
        words = "\n".join(part for part in (name, address, request.content) if part)
    return (first, *_texts((words,), to)) if words else (first,)


def _interactive(request: DeliveryRequested, to: Mapping[str, object]) -> tuple[Call, ...] | Refused:
    body, lines = request.body, [request.content]
    keyboard: list[list[dict[str, str]]] = []
    if body.get("kind") == "link":
        keyboard.append([{"text": _text(body, "title"), "url": _text(body, "url")}])
    for section in [body] if body.get("kind") == "buttons" else _objects(body, "sections"):
        for choice in _objects(section, "buttons") or _objects(section, "rows"):
            choice_id, title = _text(choice, "id"), _text(choice, "title")
            if not 0 < len(choice_id.encode()) <= MOST_CALLBACK_BYTES:
                return Refused(
                    "button-id-too-long", f"Telegram takes ids of 1 to {MOST_CALLBACK_BYTES} bytes for buttons and rows"
                )
            keyboard.append([{"text": title, "callback_data": choice_id}])
            if description := _text(choice, "description"):
                lines.append(f"{title}: {description}")
    text = "\n".join(line for line in lines if line)
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > MOST_TEXT:
        text = request.content  # what the choices are is on the buttons, too
    return (Call("sendMessage", {**to, "text": text, "reply_markup": {"inline_keyboard": keyboard}}),)


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


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _objects(body: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    value = body.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
