"""Messages between an account and a person, in both directions, without a protocol's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Button:
    """A button or a row of a list. ``kind``: ``reply``, ``row`` (of a list), ``quick_reply`` (of a template),
    ``callback``, ``postback`` or ``link``, which sends nothing."""

    id: str
    title: str
    kind: str = "reply"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """``text``: what a person reads: the body, or a file's caption. ``media_id``: of the file in ``MediaStore``.

    ``data``: the provider's own object of this kind, as it was sent.
    """

    kind: str
    text: str = ""
    media_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A message of an account as it comes in a call. ``token``: the sender's own data that its receipts carry."""

    content: Content
    token: str = ""
    reply_to: str = ""


@dataclass(slots=True, eq=False)
class Taken:
    """A message that the provider took. ``number``: its place in the order of all of them, from 1; ``copy``: how often
    its token was taken, this time included."""

    number: int
    provider_id: str
    account: tuple[str, str]
    person_id: str
    message: Message
    at_ms: int
    copy: int = 1
    is_shown: bool = False
    is_read: bool = False
    read_by_hand: bool = False
    events: list[Event] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it as a JSON object, for the list of taken messages."""
        channel, account = self.account
        return {
            "number": self.number,
            "id": self.provider_id,
            "channel": channel,
            "account": account,
            "person": self.person_id,
            "token": self.message.token,
            "kind": self.message.content.kind,
            "text": self.message.content.text,
            "reply_to": self.message.reply_to,
            "copy": self.copy,
            "at_ms": self.at_ms,
            "is_shown": self.is_shown,
            "is_read": self.is_read,
            "statuses": [event.status for event in self.events],
        }


@dataclass(slots=True, eq=False)
class Event:
    """A status of a message, and what became of its webhook: PENDING, DELIVERED, RETRYING or FAILED."""

    id: str
    status: str
    at_ms: int
    webhook: str = "PENDING"
    code: int = 0
    with_token: bool = True


@dataclass(slots=True, eq=False)
class Shown:
    """A message on a person's screen: the account's, or the person's own (``is_mine``)."""

    number: int
    account: tuple[str, str]
    message_id: str
    content: Content
    at_ms: int
    is_mine: bool = False
    reply_to: str = ""
    copy: int = 1
    is_read: bool = False
    typing_ms: int = 0  # when the account last showed that it types, below this message
    reactions: dict[str, str] = field(default_factory=dict)
    taken: Taken | None = None

    def document(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        channel, account = self.account
        return {
            "number": self.number,
            "channel": channel,
            "account": account,
            "id": self.message_id,
            "from": "me" if self.is_mine else "account",
            "kind": self.content.kind,
            "text": self.content.text,
            "media": self.content.media_id or None,
            "content": dict(self.content.data),
            "buttons": [{"id": b.id, "title": b.title, "kind": b.kind} for b in self.content.buttons],
            "reply_to": self.reply_to or None,
            "reactions": dict(self.reactions),
            "is_read": self.is_read,
            "typing_ms": self.typing_ms or None,
            "copy": self.copy,
            "at_ms": self.at_ms,
        }


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote, pressed or did, as the provider reported it to the account."""

    number: int
    provider_id: str
    account: tuple[str, str]
    person_id: str
    kind: str
    text: str
    at_ms: int

    def document(self) -> dict[str, Any]:
        """Return it as a JSON object, for the list of people's messages."""
        channel, account = self.account
        return {
            "number": self.number,
            "id": self.provider_id,
            "channel": channel,
            "account": account,
            "person": self.person_id,
            "kind": self.kind,
            "text": self.text,
            "at_ms": self.at_ms,
        }
