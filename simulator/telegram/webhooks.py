"""Telegram's objects and updates, as fragments without an ``update_id``. Pure but for the clock of new ids."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from simulator.accounts import BusinessAccount
from simulator.media import File, MediaStore
from simulator.messages import Content, Event, Shown, Taken
from simulator.network import Act
from simulator.phones import Person

Fragment = Mapping[str, Any]
_NOT_TOLD = ("opt_out", "opt_in", "number_changed", "user_id_changed")


class Telegram:
    """The protocol's form. Ids of messages count in each chat, from a number that no earlier process reached."""

    batches = False

    def __init__(self, media: MediaStore) -> None:
        self._media = media
        self._begin = int((time.time() - 1_700_000_000) * 10)
        self._messages: Counter[tuple[str, int]] = Counter()
        self._queries = count(self._begin)
        self.secrets: dict[tuple[str, str], str] = {}  # of webhooks, by the account's key

    def new_id(self, account: BusinessAccount, person: Person) -> str:
        """Return ``chat id:message id``."""
        key = account.name, person.chat_id
        self._messages[key] += 1
        return f"{person.chat_id}:{self._begin + self._messages[key]}"

    def body(self, account: BusinessAccount, fragments: Sequence[Fragment]) -> Fragment:
        """Return the update; one a post."""
        [fragment] = fragments
        return fragment

    def headers(self, account: BusinessAccount, raw: bytes) -> Mapping[str, str]:
        secret = self.secrets.get(account.key, "")
        return {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}

    def status(self, account: BusinessAccount, person: Person, taken: Taken, event: Event) -> Fragment | None:
        """Return nothing: Telegram reports no statuses."""
        return None

    def reports(self, act: Act) -> Sequence[Fragment]:
        """Return the update about a person's act."""
        kind, person = act.content.kind, act.person
        if kind in _NOT_TOLD:
            return []
        if kind in ("block", "unblock"):
            return [{"my_chat_member": self._member(act)}]
        if kind == "reaction":
            return [{"message_reaction": _reaction(act)}]
        if kind == "press":
            assert act.button is not None
            assert act.target is not None
            query = {
                "id": str(next(self._queries)),
                "from": user_of(person),
                "message": self.message(act.account, person, act.target),
                "chat_instance": str(person.chat_id * 31),
                "data": act.button.id,
            }
            return [{"callback_query": query}]
        shown = Shown(0, act.account.key, act.provider_id, act.content, act.at_ms, True)
        message = self.message(act.account, person, shown)
        if act.target is not None:
            message["reply_to_message"] = self.message(act.account, person, act.target)
        return [{"message": message}]

    def strange(self, account: BusinessAccount) -> Fragment:
        return {"future_update": {"about": "drift"}}

    def message(self, account: BusinessAccount, person: Person, shown: Shown) -> dict[str, Any]:
        """Return a message of a private chat as Telegram describes it."""
        message: dict[str, Any] = {
            "message_id": message_id_of(shown.message_id),
            "from": user_of(person) if shown.is_mine else bot_of(account),
            "chat": chat_of(person),
            "date": shown.at_ms // 1000,
        }
        message |= self._content(shown.content)
        if shown.content.buttons:
            message["reply_markup"] = {"inline_keyboard": [[_button(button)] for button in shown.content.buttons]}
        return message

    def _content(self, content: Content) -> dict[str, Any]:
        kind = content.kind
        if kind == "text":
            return {"text": content.text}
        if kind == "location":
            return _location(content.data)
        if kind == "contacts":
            return {"contact": _contact(content.data)}
        file = self._media.found(content.media_id) if content.media_id else None
        if file is None:
            return dict(content.data) or {"dice": {"emoji": "🎲", "value": 4}}
        words = {"caption": content.text} if content.text else {}
        return {**_file(kind, file), **words}

    def _member(self, act: Act) -> dict[str, Any]:
        kicked = {"user": bot_of(act.account), "status": "kicked", "until_date": 0}
        member = {"user": bot_of(act.account), "status": "member"}
        old, new = (member, kicked) if act.content.kind == "block" else (kicked, member)
        return {
            "chat": chat_of(act.person),
            "from": user_of(act.person),
            "date": act.at_ms // 1000,
            "old_chat_member": old,
            "new_chat_member": new,
        }


def message_id_of(provider_id: str) -> int:
    """Return the number of a message in its chat."""
    return int(provider_id.rpartition(":")[2])


def user_of(person: Person) -> dict[str, Any]:
    """Return a ``User``."""
    user: dict[str, Any] = {"id": person.chat_id, "is_bot": False, "first_name": person.name}
    if person.handle:
        user["username"] = person.handle
    return user


def chat_of(person: Person) -> dict[str, Any]:
    """Return the private ``Chat`` with a person."""
    chat: dict[str, Any] = {"id": person.chat_id, "type": "private", "first_name": person.name}
    if person.handle:
        chat["username"] = person.handle
    return chat


def bot_of(account: BusinessAccount) -> dict[str, Any]:
    """Return the bot as a ``User``."""
    return {
        "id": int(account.number_id),
        "is_bot": True,
        "first_name": account.name,
        "username": account.username,
    }


def _reaction(act: Act) -> dict[str, Any]:
    assert act.target is not None

    def types(emoji: str) -> list[dict[str, str]]:
        return [{"type": "emoji", "emoji": emoji}] if emoji else []

    return {
        "chat": chat_of(act.person),
        "message_id": message_id_of(act.target.message_id),
        "user": user_of(act.person),
        "date": act.at_ms // 1000,
        "old_reaction": types(act.details["before"]),
        "new_reaction": types(act.details["emoji"]),
    }


def _button(button: Any) -> dict[str, str]:
    return {"text": button.title, "url" if button.kind == "link" else "callback_data": button.id}


def _location(data: Mapping[str, Any]) -> dict[str, Any]:
    point = {"latitude": float(data.get("latitude", 0)), "longitude": float(data.get("longitude", 0))}
    if data.get("name"):
        venue = {"location": point, "title": data["name"], "address": data.get("address", "")}
        return {"location": point, "venue": venue}
    return {"location": point}


def _contact(data: Mapping[str, Any]) -> dict[str, str]:
    contacts = data.get("contacts")
    first = contacts[0] if isinstance(contacts, list) and contacts and isinstance(contacts[0], dict) else {}
    phones = first.get("phones") or [{}]
    return {
        "phone_number": str(phones[0].get("phone", "")),
        "first_name": str((first.get("name") or {}).get("formatted_name", "Somebody")),
    }


def _file(kind: str, file: File) -> dict[str, Any]:
    begin: dict[str, Any] = {
        "file_id": file.id,
        "file_unique_id": f"u{file.sha256[:14]}",
        "file_size": len(file.content),
    }
    named = {"mime_type": file.mime_type, **({"file_name": file.name} if file.name else {})}
    match kind:
        case "image":
            return {"photo": [{**begin, "width": 1, "height": 1}]}
        case "sticker":
            more = {"type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False}
            return {"sticker": {**begin, **more, "emoji": "🙂"}}
        case "audio" if file.mime_type == "audio/ogg":
            return {"voice": {**begin, "duration": 1, "mime_type": file.mime_type}}
        case "audio":
            return {"audio": {**begin, "duration": 1, **named}}
        case "video":
            return {"video": {**begin, "width": 1, "height": 1, "duration": 1, **named}}
        case _:
            return {"document": {**begin, **named}}
