"""WhatsApp's reports, as fragments: one change of one entry each. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from simulator.accounts import BusinessAccount
from simulator.graph.errors import title_of
from simulator.graph.signing import signature_headers
from simulator.media import MediaStore
from simulator.messages import Content, Event, Taken
from simulator.network import Act
from simulator.phones import Person, wa_id_of

Fragment = Mapping[str, Any]
_SYSTEM = ("number_changed", "user_id_changed")


class WhatsApp:
    """The protocol's form of ids, statuses and messages. ``life`` makes the ids of this process unique."""

    batches = True

    def __init__(self, media: MediaStore, life: str) -> None:
        self._media = media
        self._life = life
        self._numbers = count(1)

    def new_id(self, account: BusinessAccount, person: Person) -> str:
        """Return a wamid."""
        raw = f"{person.number or person.user_id}:{self._life}:{next(self._numbers)}".encode()
        return "wamid." + base64.b64encode(raw).decode()

    def body(self, account: BusinessAccount, fragments: Sequence[Fragment]) -> Fragment:
        """Return the webhook's JSON object."""
        return {
            "object": "whatsapp_business_account",
            "entry": [{"id": account.waba_id, "changes": list(fragments)}],
        }

    def headers(self, account: BusinessAccount, raw: bytes) -> Mapping[str, str]:
        return signature_headers(account, raw)

    def status(self, account: BusinessAccount, person: Person, taken: Taken, event: Event) -> Fragment | None:
        """Return the report of a status."""
        status: dict[str, Any] = {
            "id": taken.provider_id,
            "status": event.status.lower(),
            "timestamp": seconds(event.at_ms),
            "recipient_user_id": person.user_id,
        }
        if not person.hides_number:
            status["recipient_id"] = wa_id_of(person.number)
        if event.with_token and taken.message.token:
            status["biz_opaque_callback_data"] = taken.message.token
        if event.status == "FAILED":
            status["errors"] = [error_of(event.code)]
        else:
            category = "utility" if taken.message.content.kind == "template" else "service"
            status["pricing"] = {"billable": category != "service", "pricing_model": "PMP", "category": category}
        return _change(account, {"contacts": [contact_of(person)], "statuses": [status]})

    def reports(self, act: Act) -> Sequence[Fragment]:
        """Return the report of a person's act; a block is not reported."""
        kind, person, account = act.content.kind, act.person, act.account
        if kind in ("block", "unblock"):
            return []
        if kind in ("opt_out", "opt_in"):
            return [_preference(account, person, act)]
        message: dict[str, Any] = {"id": act.provider_id, "timestamp": seconds(act.at_ms)}
        if kind in _SYSTEM:
            return [_change(account, {"messages": [{**message, **_system(act)}]})]
        if not person.hides_number:
            message["from"] = wa_id_of(person.number)
        message["from_user_id"] = person.user_id
        if kind == "press":
            message |= _pressed(act)
        elif kind == "reaction":
            assert act.target is not None
            reaction = {"message_id": act.target.message_id}
            if act.content.text:
                reaction["emoji"] = act.content.text
            message |= {"type": "reaction", "reaction": reaction}
        else:
            message |= self._message(act.content)
            if act.target is not None:
                author = person.number if act.target.is_mine else account.display_number
                message["context"] = {"from": author, "id": act.target.message_id}
        return [_change(account, {"contacts": [contact_of(person)], "messages": [message]})]

    def strange(self, account: BusinessAccount) -> Fragment:
        return _change(
            account, {"future_things": [{"id": f"future.{next(self._numbers)}", "about": "drift"}]}, "future_field"
        )

    def _message(self, content: Content) -> dict[str, Any]:
        kind = content.kind
        if kind == "text":
            return {"type": "text", "text": {"body": content.text}}
        if content.media_id and (file := self._media.found(content.media_id)) is not None:
            media: dict[str, Any] = {
                "id": file.id,
                "mime_type": file.mime_type,
                "sha256": base64.b64encode(bytes.fromhex(file.sha256)).decode(),
            }
            if content.text:
                media["caption"] = content.text
            if kind == "document":
                media["filename"] = file.name
            if kind == "audio":
                media["voice"] = file.mime_type.startswith("audio/ogg")
            if kind == "sticker":
                media["animated"] = False
            return {"type": kind, kind: media}
        if kind == "unsupported":
            return {"type": "unsupported", "errors": [error_of(131051)], **content.data}
        if kind == "contacts":
            return {"type": "contacts", "contacts": content.data["contacts"]}
        return {"type": kind, kind: dict(content.data)}


def _change(account: BusinessAccount, value: Mapping[str, Any], field: str = "messages") -> Fragment:
    metadata = {"display_phone_number": account.display_number, "phone_number_id": account.number_id}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def contact_of(person: Person) -> dict[str, Any]:
    """Return the entry of ``contacts[]``: the number only if the person shows it."""
    profile = {"name": person.name}
    if person.handle:
        profile["username"] = person.handle
    contact: dict[str, Any] = {"profile": profile, "user_id": person.user_id}
    if not person.hides_number:
        contact["wa_id"] = wa_id_of(person.number)
    return contact


def _system(act: Act) -> dict[str, Any]:
    """The person's new number or id; these messages come without ``contacts[]``."""
    person, old, new = act.person, act.details["old"], act.details["new"]
    if act.content.kind == "user_id_changed":
        body = f"{person.name} has another id"
        system = {"body": body, "type": "user_changed_user_id", "user_id": new}
        return {"from": wa_id_of(person.number), "from_user_id": old, "type": "system", "system": system}
    body = f"User {person.name} changed from {old} to {new}"
    system = {"body": body, "type": "user_changed_number", "wa_id": wa_id_of(new), "user_id": person.user_id}
    return {"from": wa_id_of(old), "from_user_id": person.user_id, "type": "system", "system": system}


def _pressed(act: Act) -> dict[str, Any]:
    button, target = act.button, act.target
    assert button is not None
    assert target is not None
    context = {"from": act.account.display_number, "id": target.message_id}
    if button.kind == "quick_reply":
        return {"type": "button", "context": context, "button": {"payload": button.id, "text": button.title}}
    kind = "list_reply" if button.kind == "row" else "button_reply"
    reply = {"id": button.id, "title": button.title}
    if kind == "list_reply":
        reply["description"] = button.description
    return {"type": "interactive", "context": context, "interactive": {"type": kind, kind: reply}}


def _preference(account: BusinessAccount, person: Person, act: Act) -> Fragment:
    value = "stop" if act.content.kind == "opt_out" else "resume"
    preference = {
        "user_id": person.user_id,
        "detail": f"User requested to {value} marketing messages",
        "category": "marketing_messages",
        "value": value,
        "timestamp": int(act.at_ms // 1000),
    }
    if not person.hides_number:
        preference["wa_id"] = wa_id_of(person.number)
    return _change(account, {"contacts": [contact_of(person)], "user_preferences": [preference]}, "user_preferences")


def error_of(code: int) -> dict[str, Any]:
    """Return an error as a status or an unsupported message has it."""
    title = title_of(code)
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": f"{title}."},
        "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
    }


def seconds(at_ms: int) -> str:
    """Return the time as WhatsApp writes it."""
    return str(at_ms // 1000)
