"""A message as calls of the Instagram API: pure (Graph API v25.0, "Messaging"; checked 2026-11-27).

    {"recipient":{"id":"<IGSID>"},"messaging_type":"RESPONSE","message":{"text":"oi"},"reply_to":{"mid":"…"}}
    {"recipient":{"id":"<IGSID>"},"message":{"attachment":{"type":"image","payload":{"url":"https://…"}}}}

A call carries one text, or attachments. Each goes to ``/{id}/messages``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from domain.attachments import MediaKind
from domain.bodies import Buttons, interactive_of, reaction_of
from domain.kinds import INTERACTIVE, REACTION, TEXT
from domain.outcomes import Refused
from domain.ports import Attachment
from domain.records import DeliveryRequested

Call = Mapping[str, object]

TITLE_CHARACTERS = 20  # of a quick reply; Instagram cuts what is longer
# the word for a reaction: the only documented one is "love" [?]
REACTIONS: Mapping[str, str] = {"❤": "love"}
_VARIATION = "\ufe0f"
_IGSID = re.compile(r"[0-9]{1,32}")


def igsid_of(request: DeliveryRequested) -> str | Refused:
    """Return the Instagram-scoped id of the person."""
    igsid = request.to or request.recipient_id.partition(":")[2]
    if _IGSID.fullmatch(igsid):
        return igsid
    return Refused(
        "unknown-recipient",
        f"Instagram takes a person only by the id of its own, and that of {igsid} is not known here: "
        "the person has to write to the account first",
    )


def calls_of(request: DeliveryRequested, attachment: Attachment | None, igsid: str) -> tuple[Call, ...] | Refused:
    """Return the calls that send the message to ``igsid``, in order. Raises ``MalformedRecord`` for its ``body``."""
    if request.kind == REACTION:
        return _reaction(request, igsid)
    if request.kind == INTERACTIVE:
        return _interactive(request, igsid)
    if request.kind != TEXT:
        return Refused("kind-unsupported", f"Instagram takes no messages of the kind {request.kind}")
    messages = [{"text": request.content}] if attachment is None else list(_with_file(attachment))
    return tuple(_call(igsid, message, request.target_id if n == 0 else "") for n, message in enumerate(messages))


def tagged(call: Call) -> Call:
    """Return the call as the words of a human agent, for whom the window is seven days."""
    return {**call, "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}


def action(igsid: str, name: str) -> Call:
    """Return a call that shows something: ``mark_seen``, ``typing_on``."""
    return {"recipient": {"id": igsid}, "sender_action": name}


def _call(igsid: str, message: Mapping[str, object], quoted: str = "") -> Call:
    call: dict[str, object] = {"recipient": {"id": igsid}, "messaging_type": "RESPONSE", "message": message}
    if quoted:
        call["reply_to"] = {"mid": quoted}
    return call


def _with_file(attachment: Attachment) -> Iterator[Mapping[str, object]]:
    """Yield the file by its link, which Instagram fetches, and then the texts."""
    plan = attachment.plan
    if plan.kind is not MediaKind.LINK:
        kind = "file" if plan.kind is MediaKind.DOCUMENT else str(plan.kind)
        yield {"attachment": {"type": kind, "payload": {"url": attachment.url}}}
    for text in (plan.caption, *plan.texts):
        if text:
            yield {"text": text}


def _interactive(request: DeliveryRequested, igsid: str) -> tuple[Call, ...] | Refused:
    """Return buttons as quick replies. Lists and links became a text before (``domain/degradation.py``)."""
    choices = interactive_of(request.body)
    if not isinstance(choices, Buttons):
        return Refused("kind-unsupported", "Instagram takes buttons alone")
    replies = [
        {"content_type": "text", "title": button.title[:TITLE_CHARACTERS], "payload": button.id}
        for button in choices.buttons
    ]
    return (_call(igsid, {"text": request.content, "quick_replies": replies}, request.target_id),)


def _reaction(request: DeliveryRequested, igsid: str) -> tuple[Call, ...] | Refused:
    if not request.target_id:
        return Refused("unknown-target", "the message to react to is not known on Instagram")
    emoji = reaction_of(request.body).emoji.replace(_VARIATION, "")
    payload = {"message_id": request.target_id}
    if not emoji:
        return ({**action(igsid, "unreact"), "payload": payload},)
    if emoji not in REACTIONS:
        return Refused("kind-unsupported", f"Instagram takes {' '.join(REACTIONS)} as a reaction, not {emoji}")
    return ({**action(igsid, "react"), "payload": {**payload, "reaction": REACTIONS[emoji]}},)
