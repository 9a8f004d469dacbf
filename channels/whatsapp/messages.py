"""A message as calls to ``/{phone_number_id}/messages``: pure (Cloud API v26.0; checked on 2026-11-27).

{"messaging_product":"whatsapp","recipient_type":"individual","to":"5511999990000","type":"text",
 "text":{"body":"hi","preview_url":false},"biz_opaque_callback_data":"<conversation>\\u001f<delivery key>"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from domain import kinds
from domain.attachments import HEADERS, MediaKind
from domain.bodies import (
    Buttons,
    Interactive,
    LinkButton,
    Location,
    Menu,
    Parameters,
    Section,
    Template,
    interactive_of,
    location_of,
    reaction_of,
    template_of,
)
from domain.correlation import MOST_TOKEN, token_of
from domain.errors import MalformedRecord
from domain.outcomes import Refused
from domain.ports import Attachment
from domain.recipients import BUSINESS_SCOPED_ID, E164
from domain.records import DeliveryRequested

Call = Mapping[str, object]

_LINKS = ("http://", "https://")


def calls_of(request: DeliveryRequested, attachment: Attachment | None) -> tuple[Call, ...] | Refused:
    """Return the calls that send the message, in order. Raises ``MalformedRecord`` for its ``body``.

    Each carries our token, the later ones with their number, so a receipt of any part finds the message. A token that
    is over the limit is left out, since a cut one would be another message's: then the provider's ids alone connect
    receipts with the message.
    """
    address = request.to or request.recipient_id.partition(":")[2]
    recipient = _recipient(address)
    if recipient is None:
        return Refused("unknown-recipient", f"WhatsApp sends to a number or a business-scoped id, not to {address!r}")
    if request.kind == kinds.REACTION and not request.target_id:
        return Refused("unknown-target", "the message to react to is not known on WhatsApp")
    envelope: dict[str, object] = {"messaging_product": "whatsapp", "recipient_type": "individual", **recipient}
    first: dict[str, object] = {}
    if request.target_id and request.kind != kinds.REACTION:
        first["context"] = {"message_id": request.target_id}
    contents = enumerate(_contents(request, attachment), 1)
    return tuple(
        {**envelope, **content, **_token(request, part), **(first if part == 1 else {})} for part, content in contents
    )


def _token(request: DeliveryRequested, part: int) -> Mapping[str, object]:
    token = token_of(request, part)
    return {"biz_opaque_callback_data": token} if len(token) <= MOST_TOKEN else {}


def read_mark(provider_id: str, is_typing: bool) -> Call:
    """Return the call that marks an inbound message as read. The typing indicator is shown for 25 seconds at most."""
    call: dict[str, object] = {"messaging_product": "whatsapp", "status": "read", "message_id": provider_id}
    return {**call, "typing_indicator": {"type": "text"}} if is_typing else call


def _recipient(address: str) -> Mapping[str, object] | None:
    if BUSINESS_SCOPED_ID.fullmatch(address):
        return {"recipient": address}
    number = address if address.startswith("+") else f"+{address}"
    return {"to": number[1:]} if E164.fullmatch(number) else None


def _contents(request: DeliveryRequested, attachment: Attachment | None) -> Iterator[Call]:
    match request.kind:
        case kinds.TEMPLATE:
            yield {"type": "template", "template": _template(template_of(request.body), attachment)}
        case kinds.INTERACTIVE:
            interactive = _interactive(interactive_of(request.body), request.content)
            yield {"type": "interactive", "interactive": interactive}
        case kinds.REACTION:
            emoji = reaction_of(request.body).emoji
            yield {"type": "reaction", "reaction": {"message_id": request.target_id, "emoji": emoji}}
        case kinds.LOCATION:
            yield {"type": "location", "location": _location(location_of(request.body))}
            if request.content.strip():
                yield _text(request.content)
        case _ if attachment is None:
            yield _text(request.content)
        case _:
            if attachment.plan.kind is not MediaKind.LINK:
                yield _media(attachment)
            yield from map(_text, attachment.plan.texts)


def _text(content: str) -> Call:
    has_link = any(link in content for link in _LINKS)
    return {"type": "text", "text": {"body": content, "preview_url": has_link}}


def _media(attachment: Attachment) -> Call:
    kind = attachment.plan.kind
    media: dict[str, object] = _source(attachment)
    if attachment.plan.caption and kind is not MediaKind.AUDIO:
        media["caption"] = attachment.plan.caption
    if kind is MediaKind.DOCUMENT:
        media["filename"] = attachment.metadata.filename
    return {"type": str(kind), str(kind): media}


def _source(attachment: Attachment) -> dict[str, object]:
    return {"id": attachment.handle} if attachment.handle else {"link": attachment.url}


def _location(location: Location) -> Mapping[str, object]:
    words = {"name": location.name, "address": location.address}
    point = {"latitude": f"{location.latitude:.7f}", "longitude": f"{location.longitude:.7f}"}
    return {**point, **{name: word for name, word in words.items() if word}}


def _interactive(interactive: Interactive, content: str) -> Mapping[str, object]:
    action: Mapping[str, object]
    match interactive:
        case Buttons(buttons):
            kind, title = "button", "…"
            action = {"buttons": [{"type": "reply", "reply": {"id": one.id, "title": one.title}} for one in buttons]}
        case Menu(button, sections):
            kind, title = "list", button
            action = {"button": button, "sections": [*_sections(sections)]}
        case LinkButton(title, url):
            kind = "cta_url"
            action = {"name": "cta_url", "parameters": {"display_text": title, "url": url}}
    # a body is needed, and must not be blank
    return {"type": kind, "body": {"text": content if content.strip() else title}, "action": action}


def _sections(sections: tuple[Section, ...]) -> Iterator[Mapping[str, object]]:
    for section in sections:
        rows = [
            {"id": row.id, "title": row.title, **({"description": row.description} if row.description else {})}
            for row in section.rows
        ]
        yield {**({"title": section.title} if section.title else {}), "rows": rows}


def _template(template: Template, attachment: Attachment | None) -> Mapping[str, object]:
    components: list[Mapping[str, object]] = []
    header = _parameters(template.header)
    if attachment is not None:  # a header is a text or a file
        header = [_header(attachment)]
    if header:
        components.append({"type": "header", "parameters": header})
    if body := _parameters(template.body):
        components.append({"type": "body", "parameters": body})
    for index, ending in (template.buttons or {}).items():
        parameters = [{"type": "text", "text": ending}]
        components.append({"type": "button", "sub_type": "url", "index": str(index), "parameters": parameters})
    language = {"policy": "deterministic", "code": template.language}
    named: dict[str, object] = {"name": template.name, "language": language}
    return {**named, "components": components} if components else named


def _header(attachment: Attachment) -> Mapping[str, object]:
    kind = attachment.plan.kind
    if kind not in HEADERS:
        raise MalformedRecord(f"the header of a template is an image, a video or a document, not: {kind}", "file")
    media = _source(attachment)
    if kind is MediaKind.DOCUMENT:
        media["filename"] = attachment.metadata.filename
    return {"type": str(kind), str(kind): media}


def _parameters(given: Parameters) -> list[Mapping[str, object]]:
    if isinstance(given, Mapping):
        return [{"type": "text", "parameter_name": name, "text": text} for name, text in given.items()]
    return [{"type": "text", "text": text} for text in given]
