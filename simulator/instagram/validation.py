"""Reads a call to ``/{ig_id}/messages`` or ``/me/messages``: pure. A fault is answered with Meta's error and its code.

Limits: ../shared/providers.md, checked 2026-11-27.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.graph.errors import GraphError
from simulator.messages import Button, Content, Message

TEXT_BYTES = 1_000
QUICK_REPLIES, BUTTONS, TITLE = 13, 3, 20
MOST_IMAGES = 10
ATTACHMENTS = ("image", "audio", "video", "file", "MEDIA_SHARE", "template")
ACTIONS = ("react", "unreact", "mark_seen", "typing_on", "typing_off")


@dataclass(frozen=True, slots=True)
class Call:
    """A message to an IGSID. ``is_human``: sent with the tag of a human agent, for whom the window is 7 days."""

    igsid: str
    message: Message
    is_human: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A reaction, a read mark or the typing indicator. ``mid``: of the message that is reacted to."""

    igsid: str
    kind: str
    mid: str = ""
    emoji: str = ""


def read_call(document: Mapping[str, Any]) -> Call | Action:
    """Return the content of the call. Raises ``GraphError``."""
    recipient = document.get("recipient")
    igsid = recipient.get("id") if isinstance(recipient, dict) else None
    if isinstance(igsid, int) and not isinstance(igsid, bool):
        igsid = str(igsid)
    if not isinstance(igsid, str) or not igsid:
        raise GraphError(100, "The parameter recipient is required")
    if not igsid.isdecimal():
        raise GraphError(100, 'Param recipient[id] must be a valid ID string (e.g., "123")')
    if "sender_action" in document:
        return _action(igsid, document)
    is_human = _is_human(document)
    message = document.get("message")
    if not isinstance(message, dict):
        raise GraphError(100, "The parameter message is required")
    content = _content(message)
    reply_to = message.get("reply_to", document.get("reply_to"))
    mid = ""
    if reply_to is not None:
        if not isinstance(reply_to, dict) or not isinstance(reply_to.get("mid"), str):
            raise GraphError(100, "Param reply_to must have a mid")
        mid = reply_to["mid"]
    return Call(igsid, Message(content, "", mid), is_human)


def _is_human(document: Mapping[str, Any]) -> bool:
    kind = document.get("messaging_type", "RESPONSE")
    if kind not in ("RESPONSE", "UPDATE", "MESSAGE_TAG"):
        raise GraphError(100, "Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}")
    if kind != "MESSAGE_TAG" and "tag" not in document:
        return False
    if document.get("tag") != "HUMAN_AGENT":
        raise GraphError(100, "Param tag must be one of {HUMAN_AGENT}")
    return True


def _action(igsid: str, document: Mapping[str, Any]) -> Action:
    kind = document["sender_action"]
    if kind not in ACTIONS:
        raise GraphError(100, f"Param sender_action must be one of {{{', '.join(ACTIONS)}}}")
    if kind not in ("react", "unreact"):
        return Action(igsid, kind)
    payload = document.get("payload")
    mid = payload.get("message_id") if isinstance(payload, dict) else None
    if not isinstance(mid, str) or not mid:
        raise GraphError(100, "The parameter payload[message_id] is required")
    assert isinstance(payload, dict)
    emoji = payload.get("reaction", "love") if kind == "react" else ""
    return Action(igsid, kind, mid, emoji if isinstance(emoji, str) else "love")


def _content(message: Mapping[str, Any]) -> Content:
    text = message.get("text")
    attachments = _attachments(message)
    if (text is None) == (not attachments):
        raise GraphError(100, "A message has either text or attachments", 2018047)
    if text is not None:
        if not isinstance(text, str) or not text:
            raise GraphError(100, "Param message[text] must be a non-empty UTF-8 encoded string")
        if len(text.encode()) > TEXT_BYTES:
            raise GraphError(100, f"Length of param message[text] must be less than or equal to {TEXT_BYTES}", 2534025)
        return Content("text", text, data=message, buttons=tuple(_quick_replies(message)))
    first = attachments[0]
    if first["type"] == "template":
        return _template(first, message)
    if len(attachments) > 1 and any(each["type"] != "image" for each in attachments):
        raise GraphError(100, "Several attachments must all be images")
    return Content(str(first["type"]), data=message)


def _attachments(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    one, several = message.get("attachment"), message.get("attachments", [])
    found = [one] if one is not None else several
    if not isinstance(found, list) or len(found) > MOST_IMAGES:
        raise GraphError(100, f"Param message[attachments] must be an array of at most {MOST_IMAGES}")
    for each in found:
        if not isinstance(each, dict) or each.get("type") not in ATTACHMENTS:
            raise GraphError(100, f"Param message[attachment][type] must be one of {{{', '.join(ATTACHMENTS)}}}")
        payload = each.get("payload")
        if not isinstance(payload, dict):
            raise GraphError(100, "The parameter message[attachment][payload] is required")
        url = payload.get("url")
        if each["type"] in ("image", "audio", "video", "file") and not (
            isinstance(url, str) and url.startswith(("http://", "https://"))
        ):
            raise GraphError(100, "Param message[attachment][payload][url] must be a valid URL", 2018008)
    return found


def _quick_replies(message: Mapping[str, Any]) -> list[Button]:
    replies = message.get("quick_replies", [])
    if not isinstance(replies, list) or len(replies) > QUICK_REPLIES:
        raise GraphError(100, f"Param message[quick_replies] must be an array of at most {QUICK_REPLIES}")
    return [_button(each, "quick_reply") for each in replies]


def _template(attachment: Mapping[str, Any], message: Mapping[str, Any]) -> Content:
    payload = attachment["payload"]
    kind = payload.get("template_type")
    if kind == "button":
        text, buttons = payload.get("text"), payload.get("buttons")
    elif kind == "generic" and isinstance(payload.get("elements"), list) and payload["elements"]:
        element = payload["elements"][0]
        element = element if isinstance(element, dict) else {}
        text, buttons = element.get("title"), element.get("buttons", [])
    else:
        raise GraphError(100, "Param payload[template_type] must be one of {button, generic}")
    if not isinstance(text, str) or not text or not isinstance(buttons, list) or len(buttons) > BUTTONS:
        raise GraphError(100, f"A template has a text and at most {BUTTONS} buttons")
    return Content("template", text, data=message, buttons=tuple(_button(each, "postback") for each in buttons))


def _button(value: Any, kind: str) -> Button:
    title = value.get("title") if isinstance(value, dict) else None
    if not isinstance(title, str) or not title or len(title) > TITLE:
        raise GraphError(100, f"A button has a title of at most {TITLE} characters")
    if value.get("type") == "web_url":
        return Button(str(value.get("url", "")), title, "link")
    payload = value.get("payload")
    if not isinstance(payload, str) or not payload:
        raise GraphError(100, "A button has a payload")
    return Button(payload, title, kind)
