"""Updates of the Bot API as events: pure (Bot API 10.1, "Getting updates"; checked 2026-11-27).

    {"update_id":10000,"message":{"message_id":1365,"date":1441645532,"text":"/start",
     "chat":{"id":1111111,"type":"private","first_name":"Ana"},"from":{"id":1111111,"first_name":"Ana"}}}

A webhook's body and an element of the answer to ``getUpdates`` are the same. Who writes is a chat: in a private one its
number is the person's own.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping

from channels.payloads import Payload, decimal, excerpt, number, part, parts, payload_of, text
from channels.telegram.fields import COMMON_FIELDS, IGNORED_UPDATES, SERVICE_FIELDS
from channels.telegram.messages import provider_id_of
from domain.errors import MalformedRecord
from domain.inbound import Happening, InboundEvent, Media, Person
from domain.kinds import BUTTON_REPLY, CONTACTS, LOCATION, REACTION, STICKER, TEXT, UNSUPPORTED

SECRET_HEADER = "x-telegram-bot-api-secret-token"
# what a bot has to ask for: all of these, since the last two do not come unasked
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", "message_reaction")
# a file's field, its kind here, and its type where Telegram need not name it; an animation comes as a document, too
_FILES = (
    ("animation", "video", "video/mp4"),
    ("live_photo", "video", "video/mp4"),
    ("video", "video", "video/mp4"),
    ("video_note", "video", "video/mp4"),
    ("voice", "audio", "audio/ogg"),
    ("audio", "audio", "audio/mpeg"),
    ("document", "document", ""),
)
_NO_EMOJI = "\N{WHITE MEDIUM STAR}"  # for a reaction that is none of Unicode's


class TelegramWebhooks:
    """The Bot API's webhooks: one update a POST, with the secret token in a header."""

    secret = "secret_token"
    headers: frozenset[str] = frozenset()  # the only one of interest is the secret

    def challenge(self, query: Mapping[str, str], verify_token: str) -> str | None:
        """Return ``None``: Telegram makes no verification request."""
        return None

    def is_authentic(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Return whether the POST has the secret token of ``setWebhook``."""
        given = headers.get(SECRET_HEADER, "")
        return bool(secret) and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())

    def parse(self, body: bytes, received_at_ms: int) -> Iterator[InboundEvent]:
        """Yield one event for each field of the update. Raises ``MalformedRecord`` if the body is no update."""
        update = payload_of(body)
        if type(update.get("update_id")) is not int:
            raise MalformedRecord("not an update of the Bot API: it has no update_id", "update_id")
        return _events(update, received_at_ms)


PROTOCOL = TelegramWebhooks()


def _events(update: Payload, now_ms: int) -> Iterator[InboundEvent]:
    fields = [name for name in update if name != "update_id"]
    for name in fields:
        element, fallback_id = part(update, name), f"{update['update_id']} {name}"
        event = None
        if name in _PARSERS:
            event = _PARSERS[name](element, fallback_id, now_ms)
        elif name in IGNORED_UPDATES:
            event = InboundEvent(Happening.IGNORED, fallback_id, now_ms, detail=name)
        yield event or InboundEvent(Happening.UNKNOWN, fallback_id, now_ms, detail=excerpt({name: update[name]}))
    if not fields:
        yield InboundEvent(Happening.IGNORED, f"{update['update_id']} empty", now_ms, detail="empty")


def _message(message: Payload, fallback_id: str, now_ms: int) -> InboundEvent | None:
    where = _place_of(message)
    if where is None:
        return None
    chat_id, message_id = where
    at_ms = number(message, "date") * 1000 or now_ms
    element_id = provider_id_of(chat_id, message_id)
    person = _person_of(part(message, "chat"), part(message, "from"))
    if new_id := number(message, "migrate_to_chat_id"):
        moved = Person(user_id=str(new_id), handle=person.handle, name=person.name)
        return InboundEvent(Happening.IDENTITY, element_id, at_ms, person=moved, former=person)
    if old_id := number(message, "migrate_from_chat_id"):
        former = Person(user_id=str(old_id))
        return InboundEvent(Happening.IDENTITY, element_id, at_ms, person=person, former=former)
    if service := next((name for name in message if name in SERVICE_FIELDS), ""):
        return InboundEvent(Happening.IGNORED, element_id, at_ms, detail=service)
    return _written(message, element_id, at_ms, person, _quoted(message, chat_id))


def _edited(message: Payload, fallback_id: str, now_ms: int) -> InboundEvent | None:
    """Return the new version as a message that quotes the former one; the steps of a live location are ignored."""
    where = _place_of(message)
    if where is None:
        return None
    edited = number(message, "edit_date")
    element_id, at_ms = provider_id_of(*where, "edited", str(edited)), edited * 1000 or now_ms
    if "location" in message and "venue" not in message:
        return InboundEvent(Happening.IGNORED, element_id, at_ms, detail="live location")
    person = _person_of(part(message, "chat"), part(message, "from"))
    return _written(message, element_id, at_ms, person, provider_id_of(*where))


def _written(message: Payload, element_id: str, at_ms: int, person: Person, target_id: str) -> InboundEvent:
    kind, content, body, media = _content_of(message)
    return InboundEvent(
        Happening.MESSAGE,
        element_id,
        at_ms,
        person=person,
        kind=kind,
        content=content,
        body=body,
        media=media,
        target_id=target_id,
    )


def _content_of(message: Payload) -> tuple[str, str, Mapping[str, object], tuple[Media, ...]]:
    """Return kind, text, body and files of a message."""
    if "text" in message:
        return TEXT, text(message, "text"), {}, ()
    if "sticker" in message:
        sticker = part(message, "sticker")
        return STICKER, text(sticker, "emoji"), {}, (_sticker(sticker),)
    if media := _media_of(message):
        return TEXT, text(message, "caption"), {}, (media,)
    if "venue" in message:  # before the location, which is in the message, too
        venue = part(message, "venue")
        if place := _place(part(venue, "location")):
            return LOCATION, "", {**place, "name": text(venue, "title"), "address": text(venue, "address")}, ()
    if place := _place(part(message, "location")):
        return LOCATION, "", place, ()
    if "contact" in message:
        contact = part(message, "contact")
        return CONTACTS, "", {"contacts": [{"name": _name(contact), "phones": [text(contact, "phone_number")]}]}, ()
    unknown = next((name for name in message if name not in COMMON_FIELDS), "message")
    return UNSUPPORTED, _words_of(message, unknown), {"type": unknown}, ()


def _words_of(message: Payload, name: str) -> str:
    """Return the words of an unsupported kind, as far as it has any: a poll's question, a game's title."""
    element = part(message, name)
    words = [text(element, each) for each in ("question", "title", "emoji", "value")]
    return " ".join(word for word in (*words, text(message, "caption")) if word)


def _media_of(message: Payload) -> Media | None:
    if sizes := parts(message, "photo"):
        largest = max(sizes, key=lambda size: number(size, "width") * number(size, "height"))
        return Media(text(largest, "file_id"), "", "image", "image/jpeg", "", "", number(largest, "file_size"))
    for name, kind, mime_type in _FILES:
        if file := part(message, name):
            mime_type = text(file, "mime_type") or mime_type
            size_bytes = number(file, "file_size")
            return Media(text(file, "file_id"), "", kind, mime_type, text(file, "file_name"), "", size_bytes)
    return None


def _sticker(sticker: Payload) -> Media:
    mime_type = "image/webp"
    if sticker.get("is_video") is True:
        mime_type = "video/webm"
    elif sticker.get("is_animated") is True:
        mime_type = "application/gzip"  # .tgs, a compressed Lottie animation
    return Media(text(sticker, "file_id"), "", "sticker", mime_type, "", "", number(sticker, "file_size"))


def _place(location: Payload) -> dict[str, object]:
    latitude, longitude = decimal(location, "latitude"), decimal(location, "longitude")
    if latitude is None or longitude is None:
        return {}
    return {"latitude": latitude, "longitude": longitude}


def _pressed(query: Payload, fallback_id: str, now_ms: int) -> InboundEvent | None:
    """Return a pressed button. Its words are on the keyboard of the message, if that is still accessible."""
    message, query_id, presser = part(query, "message"), text(query, "id"), part(query, "from")
    where = _place_of(message)
    chat = part(message, "chat") or {**presser, "type": "private"}
    if not (query_id and number(chat, "id")):
        return None
    chat_id, message_id = where or (number(chat, "id"), 0)
    data = text(query, "data")
    rows = part(message, "reply_markup").get("inline_keyboard")
    buttons = [each for row in rows if isinstance(row, list) for each in row] if isinstance(rows, list) else []
    titles = [text(each, "text") for each in buttons if isinstance(each, dict) and text(each, "callback_data") == data]
    title = titles[0] if titles else data or text(query, "game_short_name")
    return InboundEvent(
        Happening.MESSAGE,
        provider_id_of(chat_id, message_id, "callback", query_id),
        now_ms,
        person=_person_of(chat, presser),
        kind=BUTTON_REPLY,
        content=title,
        body={"id": data, "title": title},
        target_id=provider_id_of(chat_id, message_id) if message_id else "",
    )


def _reacted(reaction: Payload, fallback_id: str, now_ms: int) -> InboundEvent | None:
    where = _place_of(reaction)
    if where is None:
        return None
    emojis = [text(each, "emoji") or _NO_EMOJI for each in parts(reaction, "new_reaction")]
    return InboundEvent(
        Happening.REACTION,
        fallback_id,  # two of one second would have the same id otherwise
        number(reaction, "date") * 1000 or now_ms,
        person=_person_of(part(reaction, "chat"), part(reaction, "user") or part(reaction, "actor_chat")),
        kind=REACTION,
        body={"emoji": "".join(emojis)},
        target_id=provider_id_of(*where),
    )


def _membership(change: Payload, fallback_id: str, now_ms: int) -> InboundEvent | None:
    """Return an opt-out if the bot was blocked or removed, an opt-in if it may write (again)."""
    chat = part(change, "chat")
    status = text(part(change, "new_chat_member"), "status")
    if not (number(chat, "id") and status):
        return None
    happening = {
        "kicked": Happening.OPT_OUT,
        "left": Happening.OPT_OUT,
        "member": Happening.OPT_IN,
        "administrator": Happening.OPT_IN,
    }.get(status, Happening.IGNORED)
    at_ms = number(change, "date") * 1000 or now_ms
    person = _person_of(chat, part(change, "from"))
    return InboundEvent(happening, fallback_id, at_ms, person=person, detail=f"my_chat_member {status}"[:200])


def _place_of(message: Payload) -> tuple[int, int] | None:
    """Return the numbers of the chat and of the message in it."""
    chat_id, message_id = number(part(message, "chat"), "id"), number(message, "message_id")
    return (chat_id, message_id) if chat_id and message_id else None


def _quoted(message: Payload, chat_id: int) -> str:
    quoted = number(part(message, "reply_to_message"), "message_id")
    return provider_id_of(chat_id, quoted) if quoted else ""


def _person_of(chat: Payload, writer: Payload) -> Person:
    """Return who is behind the chat: the person, or in a group all of it with the writer's name."""
    user_id, handle = text(chat, "id"), text(chat, "username").lower()
    name = _name(writer)
    if text(chat, "type") == "private":
        name = _name(chat) or name
        handle = handle or text(writer, "username").lower()
    elif title := text(chat, "title"):
        name = f"{name} ({title})" if name else title
    return Person(user_id=user_id, handle=f"@{handle}" if handle else "", name=name)


def _name(person: Payload) -> str:
    words = (text(person, "first_name"), text(person, "last_name"))
    return " ".join(word for word in words if word) or text(person, "title")


_PARSERS: Mapping[str, Callable[[Payload, str, int], InboundEvent | None]] = {
    "message": _message,
    "edited_message": _edited,
    "callback_query": _pressed,
    "message_reaction": _reacted,
    "my_chat_member": _membership,
}
