"""Instagram's webhooks as events: pure (Graph API v25.0, "Webhooks for Instagram messaging"; checked 2026-11-27).

    {"object":"instagram","entry":[{"id":"<our id>","time":1459991487970,"messaging":[
      {"sender":{"id":"<IGSID>"},"recipient":{"id":"<our id>"},"timestamp":1459991487970,
       "message":{"mid":"mid.…","text":"oi","attachments":[{"type":"image","payload":{"url":"https://…"}}]}}]}]}

Times are milliseconds. An element may also be the ``value`` of one of the entry's ``changes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from channels.meta.webhooks import APP_SECRET, SIGNATURE_HEADER, challenge, is_signed
from channels.payloads import Payload, excerpt, number, part, parts, payload_of, text
from domain.errors import MalformedRecord
from domain.inbound import Happening, InboundEvent, Media, Person
from domain.kinds import BUTTON_REPLY, REACTION, TEXT, UNSUPPORTED
from domain.status import Status

MOST_FILES = 100  # of a message
_BESIDE = frozenset({"sender", "recipient", "timestamp"})
# parts of an element that have nothing to do with a message
_IGNORED = frozenset(
    {"referral", "optin", "pass_thread_control", "take_thread_control", "request_thread_control", "app_roles"}
)
# fields of ``changes``: those of messaging have an element as their value, the others are about posts
_MESSAGING_FIELDS = frozenset(
    {
        "messages",
        "message_echoes",
        "message_edit",
        "message_reactions",
        "messaging_postbacks",
        "messaging_seen",
        "messaging_referral",
        "messaging_optins",
        "messaging_handover",
        "standby",
    }
)
_OTHER_FIELDS = frozenset({"comments", "live_comments", "mentions", "story_insights", "story_reactions"})
_FILES: Mapping[str, tuple[str, str]] = {
    "image": ("image", "image/jpeg"),
    "audio": ("audio", "audio/mp4"),
    "video": ("video", "video/mp4"),
    "file": ("document", ""),
}
_EMOJI: Mapping[str, str] = {
    "love": "❤️",
    "smile": "😆",
    "haha": "😆",
    "wow": "😮",
    "sad": "😢",
    "angry": "😠",
    "like": "👍",
    "dislike": "👎",
}
_NO_EMOJI = "\N{WHITE MEDIUM STAR}"  # for a reaction that says no more than that it is another one


class InstagramWebhooks:
    """Instagram's webhooks: verified and signed as all of Meta's."""

    secret = APP_SECRET
    headers = frozenset({SIGNATURE_HEADER})

    def challenge(self, query: Mapping[str, str], verify_token: str) -> str | None:
        """Return ``hub.challenge`` if the request knows our token."""
        return challenge(query, verify_token)

    def is_authentic(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Return whether the body was signed with the app's secret."""
        return is_signed(headers, body, secret)

    def parse(self, body: bytes, received_at_ms: int) -> Iterator[InboundEvent]:
        """Yield one event for each element. Raises ``MalformedRecord`` if the body is no webhook of Instagram."""
        document = payload_of(body)
        if document.get("object") != "instagram" or not isinstance(document.get("entry"), list):
            raise MalformedRecord(
                "not a webhook of Instagram: it has no object of that name with a list entry", "object"
            )
        return _events(document, received_at_ms)


PROTOCOL = InstagramWebhooks()


def _events(document: Payload, now_ms: int) -> Iterator[InboundEvent]:
    for entry in parts(document, "entry"):
        our_id, at_ms = text(entry, "id"), number(entry, "time") or now_ms
        found = False
        for event in _of_entry(entry, our_id, at_ms):
            found = True
            yield replace(event, our_id=our_id)
        if not found:
            yield InboundEvent(Happening.UNKNOWN, _name(entry, at_ms), at_ms, our_id=our_id, detail=excerpt(entry))


def _of_entry(entry: Payload, our_id: str, at_ms: int) -> Iterator[InboundEvent]:
    for element in parts(entry, "messaging"):
        yield _element(element, our_id, at_ms)
    for element in parts(entry, "standby"):  # of a conversation that another app answers
        yield InboundEvent(Happening.IGNORED, _name(element, at_ms), at_ms, detail="standby")
    for change in parts(entry, "changes"):
        name = text(change, "field")
        if name in _MESSAGING_FIELDS:
            yield _element(part(change, "value"), our_id, at_ms)
        elif name in _OTHER_FIELDS:
            yield InboundEvent(Happening.IGNORED, _name(change, at_ms), at_ms, detail=name)
        else:
            yield InboundEvent(Happening.UNKNOWN, _name(change, at_ms), at_ms, detail=excerpt(change))


def _element(element: Payload, our_id: str, entry_ms: int) -> InboundEvent:
    at_ms = number(element, "timestamp") or entry_ms
    sender = part(element, "sender")
    handle = text(sender, "username").lower()
    person = Person(user_id=text(sender, "id"), handle=f"@{handle}" if handle else "", name=text(sender, "name"))
    name = next((name for name in element if name in _PARSERS), "")
    event = _PARSERS[name](part(element, name), person, at_ms) if name else None
    if event is not None and person.user_id == our_id and our_id:  # the account's own, though not marked as an echo
        return InboundEvent(Happening.IGNORED, event.element_id, at_ms, detail="echo")
    if event is not None:
        return event
    other = next((name for name in element if name in _IGNORED), "")
    if other:
        return InboundEvent(Happening.IGNORED, _name(element, at_ms), at_ms, detail=other)
    kinds = [name for name in element if name not in _BESIDE]
    known = person if kinds else Person()
    return InboundEvent(Happening.UNKNOWN, _name(element, at_ms), at_ms, person=known, detail=excerpt(element))


def _message(message: Payload, person: Person, at_ms: int) -> InboundEvent | None:
    mid = text(message, "mid")
    if not mid:
        return None
    if message.get("is_echo") is True:
        return InboundEvent(Happening.IGNORED, f"{mid} echo", at_ms, target_id=mid, detail="echo")
    if message.get("is_deleted") is True:
        return InboundEvent(Happening.IGNORED, f"{mid} deleted", at_ms, person=person, target_id=mid, detail="deleted")
    kind, content, body, media = _content_of(message)
    return InboundEvent(
        Happening.MESSAGE,
        mid,
        at_ms,
        person=person,
        kind=kind,
        content=content,
        body=body,
        media=media,
        target_id=text(part(message, "reply_to"), "mid"),
    )


def _content_of(message: Payload) -> tuple[str, str, Mapping[str, object], tuple[Media, ...]]:
    """Return kind, text, body and files. What is neither text nor file is shown by its link, if it has one."""
    content, attachments = text(message, "text"), parts(message, "attachments")
    if reply := part(message, "quick_reply"):
        return BUTTON_REPLY, content, {"id": text(reply, "payload"), "title": content}, ()
    files = [_file(each) for each in attachments if text(each, "type") in _FILES and _url(each)]
    others = [each for each in attachments if text(each, "type") not in _FILES or not _url(each)]
    words = [content, *(_words(each) for each in others)]
    content = "\n".join(word for word in words if word)
    if files or (content and not others):
        return TEXT, content, {}, tuple(files[:MOST_FILES])
    kind = text(others[0], "type") if others else ""
    if kind == "like_heart":
        return TEXT, "❤️", {}, ()
    return UNSUPPORTED, content, {"type": kind or "message"}, ()


def _file(attachment: Payload) -> Media:
    kind, mime_type = _FILES[text(attachment, "type")]
    return Media("", _url(attachment), kind, mime_type)


def _url(attachment: Payload) -> str:
    return text(part(attachment, "payload"), "url")


def _words(attachment: Payload) -> str:
    """Return the words of a shared post, a mention in a story, a card: its title and its link."""
    payload = part(attachment, "payload")
    return " ".join(word for word in (text(payload, "title"), text(payload, "url")) if word)


def _edited(edit: Payload, person: Person, at_ms: int) -> InboundEvent | None:
    """Return the new version as a message that quotes the former one."""
    mid, content = text(edit, "mid"), text(edit, "text")
    if not mid:
        return None
    element_id = f"{mid} edited {number(edit, 'num_edit')}"
    return InboundEvent(Happening.MESSAGE, element_id, at_ms, person=person, content=content, target_id=mid)


def _reaction(reaction: Payload, person: Person, at_ms: int) -> InboundEvent | None:
    mid, deed = text(reaction, "mid"), text(reaction, "action")
    if not mid or deed not in ("react", "unreact"):
        return None
    emoji = ""
    if deed == "react":
        emoji = text(reaction, "emoji") or _EMOJI.get(text(reaction, "reaction"), _NO_EMOJI)
    return InboundEvent(
        Happening.REACTION,
        f"{mid} {deed} {person.user_id} {at_ms}",
        at_ms,
        person=person,
        kind=REACTION,
        body={"emoji": emoji},
        target_id=mid,
    )


def _postback(postback: Payload, person: Person, at_ms: int) -> InboundEvent | None:
    title, payload = text(postback, "title"), text(postback, "payload")
    if not (title or payload):
        return None
    return InboundEvent(
        Happening.MESSAGE,
        text(postback, "mid") or f"postback {person.user_id} {at_ms}",
        at_ms,
        person=person,
        kind=BUTTON_REPLY,
        content=title or payload,
        body={"id": payload, "title": title or payload},
    )


def _read(read: Payload, person: Person, at_ms: int) -> InboundEvent | None:
    mid = text(read, "mid")
    if not mid:
        return None
    return InboundEvent(Happening.RECEIPT, f"{mid} READ", at_ms, person=person, target_id=mid, status=str(Status.READ))


def _name(element: Payload, at_ms: int) -> str:
    """Return an id for an element without one of its own: the same when it comes again."""
    sender, kinds = text(part(element, "sender"), "id"), sorted(name for name in element if name not in _BESIDE)
    return f"{' '.join(kinds)} {sender} {at_ms}"[:200]


_PARSERS: Mapping[str, Callable[[Payload, Person, int], InboundEvent | None]] = {
    "message": _message,
    "message_edit": _edited,
    "reaction": _reaction,
    "postback": _postback,
    "read": _read,
}
