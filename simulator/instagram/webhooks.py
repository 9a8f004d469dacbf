"""Instagram's reports, as fragments: one element of ``messaging`` each. Pure. Times are milliseconds."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from simulator.accounts import BusinessAccount
from simulator.graph.signing import signature_headers
from simulator.media import MediaStore
from simulator.messages import Content, Event, Taken
from simulator.network import Act, now_ms
from simulator.phones import Person

Fragment = Mapping[str, Any]
_REACTIONS = {
    "❤": "love",
    "❤️": "love",
    "😆": "haha",
    "😮": "wow",
    "😢": "sad",
    "😠": "angry",
    "👍": "like",
    "👎": "dislike",
}
_KINDS = {"document": "file", "sticker": "image"}


class Instagram:
    """The protocol's form. ``link_of`` returns the URL under which anybody may fetch a file for a while."""

    batches = True

    def __init__(self, media: MediaStore, life: str, link_of: Callable[[str], str]) -> None:
        self._media = media
        self._life = life
        self._link_of = link_of
        self._numbers = count(1)

    def new_id(self, account: BusinessAccount, person: Person) -> str:
        """Return a mid."""
        raw = f"{person.igsid}:{self._life}:{next(self._numbers)}".encode()
        return "mid." + base64.urlsafe_b64encode(raw).decode()

    def body(self, account: BusinessAccount, fragments: Sequence[Fragment]) -> Fragment:
        """Return the webhook's JSON object."""
        entry = {"id": account.number_id, "time": now_ms(), "messaging": list(fragments)}
        return {"object": "instagram", "entry": [entry]}

    def headers(self, account: BusinessAccount, raw: bytes) -> Mapping[str, str]:
        return signature_headers(account, raw)

    def status(self, account: BusinessAccount, person: Person, taken: Taken, event: Event) -> Fragment | None:
        """Return the report of READ, and the echo of what the account sent; Instagram tells nothing else."""
        if event.status == "READ":
            return {**_from(account, person, event.at_ms), "read": {"mid": taken.provider_id}}
        if event.status == "SENT":
            message: dict[str, Any] = {"mid": taken.provider_id, "is_echo": True}
            if taken.message.content.text:
                message["text"] = taken.message.content.text
            if "attachment" in taken.message.content.data:
                message["attachments"] = [taken.message.content.data["attachment"]]
            sides = {"sender": {"id": account.number_id}, "recipient": {"id": person.igsid}}
            return {**sides, "timestamp": event.at_ms, "message": message}
        return None

    def reports(self, act: Act) -> Sequence[Fragment]:
        """Return the report of a person's act; a block and a telephone number are not reported."""
        kind, begin = act.content.kind, _from(act.account, act.person, act.at_ms)
        if kind in ("block", "unblock", "opt_out", "opt_in", "number_changed", "user_id_changed"):
            return []
        if kind == "reaction":
            return [{**begin, "reaction": _reaction(act)}]
        if kind == "press":
            return [{**begin, **_pressed(act)}]
        message: dict[str, Any] = {"mid": act.provider_id, **self._message(act.content)}
        if act.target is not None:
            message["reply_to"] = {"mid": act.target.message_id}
        return [{**begin, "message": message}]

    def strange(self, account: BusinessAccount) -> Fragment:
        sides = {"sender": {"id": "1"}, "recipient": {"id": account.number_id}}
        return {**sides, "timestamp": now_ms(), "future_thing": {"about": "drift"}}

    def _message(self, content: Content) -> dict[str, Any]:
        if content.media_id:
            kind = _KINDS.get(content.kind, content.kind)
            message: dict[str, Any] = {
                "attachments": [{"type": kind, "payload": {"url": self._link_of(content.media_id)}}]
            }
            return {**message, "text": content.text} if content.text else message
        if content.kind == "unsupported":
            return {"is_unsupported": True}
        if content.kind == "text":
            return {"text": content.text}
        return {"attachments": [{"type": content.kind, "payload": dict(content.data)}]}


def _from(account: BusinessAccount, person: Person, at_ms: int) -> dict[str, Any]:
    return {"sender": {"id": person.igsid}, "recipient": {"id": account.number_id}, "timestamp": at_ms}


def _reaction(act: Act) -> Fragment:
    assert act.target is not None
    emoji = act.content.text
    if not emoji:
        return {"mid": act.target.message_id, "action": "unreact"}
    return {
        "mid": act.target.message_id,
        "action": "react",
        "reaction": _REACTIONS.get(emoji, "other"),
        "emoji": emoji,
    }


def _pressed(act: Act) -> Fragment:
    button = act.button
    assert button is not None
    if button.kind == "quick_reply":
        message = {"mid": act.provider_id, "text": button.title, "quick_reply": {"payload": button.id}}
        return {"message": message}
    return {"postback": {"mid": act.provider_id, "title": button.title, "payload": button.id}}
