"""The parts of a message's response and frame that its kind and direction bring with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels.manifest import CAPABILITIES
from domain.conversations import is_address
from domain.inbound import ContactChanged
from domain.kinds import FILE, INBOUND, KINDS, OUTBOUND, TEXT, UNSUPPORTED
from domain.reactions import PersonReaction
from domain.records import MessageAccepted
from web.http.responses import iso_utc

Names = Mapping[str, str]  # username by user id; who is not in it is shown without one


def party_document(participant_id: str, names: Names, name: str = "") -> dict[str, Any]:
    """Return a participant: a user with their username, or an address with the person's ``name``, if it is known."""
    if is_address(participant_id):
        return {"address": participant_id, "name": name or None}
    return {"user_id": participant_id, "username": names.get(participant_id)}


def person_document(address: str, contacts: Sequence[ContactChanged], conversation_id: str) -> dict[str, Any]:
    """Return a participating address with the person's name, opt-out and reply window, as our accounts know them.

    ``window`` is ``None`` where the channel has none, or as long as nothing is known of the person.
    """
    here = [one for one in contacts if one.conversation_id == conversation_id] or contacts
    last = max(here, key=lambda one: one.at_ms, default=None)
    if last is None:
        return {**party_document(address, {}), "window": None, "opted_out": False}
    has_window = last.channel in CAPABILITIES and CAPABILITIES[last.channel].content.window_hours > 0
    until_ms = last.window_until_ms
    return {
        **party_document(address, {}, last.person.name or last.person.handle),
        "window": {"open_until": iso_utc(until_ms) if until_ms else None} if has_window else None,
        "opted_out": last.opted_out,
    }


def sender_document(message: MessageAccepted, names: Names) -> dict[str, Any]:
    """Return the sender: a user, or a person on a channel by the name that the channel reported."""
    return party_document(message.sender_id, names, message.sender_name)


def kind_document(message: MessageAccepted) -> dict[str, Any]:
    """Return ``direction``, ``kind``, ``reply_to``, and the kind's own object under the kind's name.

    A kind of a later release is shown as one that is not supported.
    """
    kind, body = message.shown_kind, message.body
    if kind not in KINDS:
        kind, body = UNSUPPORTED, {"type": kind}
    document: dict[str, Any] = {
        "direction": INBOUND if message.is_inbound else OUTBOUND,
        "kind": kind,
        "reply_to": message.reply_to or None,
    }
    if kind not in (TEXT, FILE):
        document[kind] = body
    return document


def account_of(message: MessageAccepted) -> str | None:
    """Return the account of the message: the sender's choice, or the one with which all its persons last wrote."""
    accounts = set(message.recipient_accounts)
    return message.account or (accounts.pop() if len(accounts) == 1 else "") or None


def reactions_document(reactions: Sequence[PersonReaction]) -> list[dict[str, Any]]:
    """Return the reactions to a message."""
    return [{"by": one.by, "emoji": one.emoji, "at": iso_utc(one.at_ms)} for one in reactions]
