"""Messages of kinds that a channel does not take: as a plain text, or not at all.

    buttons     numbered lines under the text
    list        numbered lines under the titles of their sections
    link        its title and URL under the text
    location    name, address and a link to the map
    template    refused: its text is known to the provider alone
    reaction    refused
    reply_to    left out; the message goes without the quotation

A limit of a channel that takes the kind is no reason to degrade: ``body_fault`` refuses the message at acceptance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from domain.attachments import ChannelCapabilities, utf16_units
from domain.bodies import (
    Body,
    Buttons,
    Interactive,
    LinkButton,
    Location,
    Menu,
    interactive_of,
    location_of,
    reaction_of,
    template_of,
)
from domain.capabilities import ContentLimits
from domain.errors import MalformedRecord
from domain.graphemes import clusters
from domain.kinds import INTERACTIVE, LOCATION, REACTION, TEMPLATE, TEXT
from domain.records import DeliveryRequested

ELLIPSIS = "…"
_VARIATION = "\ufe0f"  # it asks for the coloured form of an emoji


def degraded(request: DeliveryRequested, capabilities: ChannelCapabilities) -> DeliveryRequested:
    """Return ``request`` as its channel can take it: unchanged, or as a plain text within the channel's limit.

    Unchanged is also what ``body_fault`` refuses, since it has no text.
    """
    limits = capabilities.content
    if (request.reply_to or request.target_id) and not limits.has_replies and request.kind != REACTION:
        request = replace(request, reply_to="", target_id="")
    if request.kind not in (INTERACTIVE, LOCATION):
        return request
    try:
        if request.kind == LOCATION:
            text = None if limits.has_locations else _place(location_of(request.body))
        else:
            interactive = interactive_of(request.body)
            text = None if _is_taken(interactive, limits) else _lines(interactive)
    except MalformedRecord:
        return request
    if text is None:
        return request
    return replace(request, kind=TEXT, body={}, content=_within(request.content, text, capabilities))


def body_fault(
    kind: str, body: Body, content: str, has_file: bool, channel: str, capabilities: ChannelCapabilities
) -> str | None:
    """Return a sentence that names the limit of ``channel`` if such a message cannot be sent there, else ``None``.

    Beside a file the text has no limit: it is cut into several. A template may have a file as its header.
    """
    if has_file and kind not in (TEXT, TEMPLATE):
        return f"a file cannot go with a message of the kind {kind}"
    try:
        fault = _kind_fault(kind, body, content, capabilities)
    except MalformedRecord as error:
        return f"the message's object is not one of the kind {kind}: {error}"
    if fault is None and not has_file and kind in (TEXT, INTERACTIVE, LOCATION):
        fault = _text_fault(kind, body, content, capabilities)
    return f"{channel} {fault}" if fault else None


def map_link(location: Location) -> str:
    """Return a URL that shows the place on a map, in the browser or the application of a telephone."""
    return f"https://maps.google.com/?q={_degrees(location.latitude)},{_degrees(location.longitude)}"


def _degrees(value: float) -> str:
    rounded = round(value, 6) + 0.0  # six digits are 11 cm; the sum has no negative zero
    return f"{rounded:.6f}".rstrip("0").rstrip(".")


def _lines(interactive: Interactive) -> str:
    match interactive:
        case Buttons(buttons):
            return "\n".join(f"{number}. {button.title}" for number, button in enumerate(buttons, 1))
        case Menu():
            return "\n".join(_menu_lines(interactive))
        case LinkButton(title, url):
            return f"{title}: {url}"


def _menu_lines(menu: Menu) -> Iterator[str]:
    number = 0
    for section in menu.sections:
        if number:
            yield ""
        if section.title:
            yield section.title
        for row in section.rows:
            number += 1
            yield f"{number}. {row.title}" + (f": {row.description}" if row.description else "")


def _place(location: Location) -> str:
    return "\n".join(line for line in (location.name, location.address, map_link(location)) if line)


def _joined(content: str, below: str) -> str:
    return f"{content}\n\n{below}" if content.strip() else below


def _within(content: str, below: str, capabilities: ChannelCapabilities) -> str:
    """Return both as one text within the limit: the content gives way first."""
    cost, most = capabilities.cost, capabilities.max_text
    text = _joined(content, below)
    if cost(text) <= most:
        return text
    room = most - cost(f"\n\n{below}")
    if room >= cost(ELLIPSIS) and content.strip():
        return _joined(_cut(content, room, cost), below)
    return _cut(below, most, cost)


def _cut(text: str, most: int, cost: Callable[[str], int]) -> str:
    """Return ``text`` within ``most``, with an ellipsis in place of its end. No grapheme cluster is cut."""
    if cost(text) <= most:
        return text
    kept: list[str] = []
    used = cost(ELLIPSIS)
    for cluster in clusters(text):
        used += cost(cluster)
        if used > most:
            break
        kept.append(cluster)
    return "".join(kept) + ELLIPSIS


def _is_taken(interactive: Interactive, limits: ContentLimits) -> bool:
    match interactive:
        case Buttons():
            return limits.buttons is not None
        case Menu():
            return limits.lists is not None
        case LinkButton():
            return limits.links is not None


def _kind_fault(kind: str, body: Body, content: str, capabilities: ChannelCapabilities) -> str | None:
    """Return the part of a sentence after the channel's name."""
    limits = capabilities.content
    match kind:
        case "template":
            template_of(body)
            return None if limits.has_templates else "has no templates"
        case "reaction":
            return _reaction_fault(reaction_of(body).emoji, limits)
        case "interactive":
            return _interactive_fault(interactive_of(body), content, capabilities)
        case "location":
            location_of(body)
            return None
        case "text":
            return None
    return f"takes no messages of the kind {kind}"


def _reaction_fault(emoji: str, limits: ContentLimits) -> str | None:
    if not limits.has_reactions:
        return "takes no reactions"
    if emoji and limits.emoji is not None and emoji.replace(_VARIATION, "") not in limits.emoji:
        return f"does not take {emoji} as a reaction"
    return None


def _interactive_fault(interactive: Interactive, content: str, capabilities: ChannelCapabilities) -> str | None:
    for used, most, what in _measures(interactive, content, capabilities):
        if used > most:
            return f"takes at most {most} {what}; this one has {used}"
    return None


def _measures(
    interactive: Interactive, content: str, capabilities: ChannelCapabilities
) -> Iterator[tuple[int, int, str]]:
    """Yield each size with its limit and its name; nothing for what becomes a text."""
    cost, unit, limits = capabilities.cost, capabilities.unit, capabilities.content
    match interactive:
        case Buttons(buttons) if of := limits.buttons:
            yield len(buttons), of.most, "buttons"
            yield cost(content), of.max_text, f"{unit} in a text over buttons"
            for button in buttons:
                yield utf16_units(button.title), of.max_title, "characters in the title of a button"
                yield len(button.id.encode()), of.max_id_bytes, "bytes in the id of a button"
        case Menu(button, sections) if menu := limits.lists:
            yield len(interactive.rows), menu.most_rows, "rows in a list"
            yield cost(content), menu.max_text, f"{unit} in a text over a list"
            yield cost(button), menu.max_button, f"{unit} in the button of a list"
            for section in sections:
                yield cost(section.title), menu.max_section_title, f"{unit} in the title of a section"
            for row in interactive.rows:
                yield cost(row.title), menu.max_title, f"{unit} in the title of a row"
                yield cost(row.description), menu.max_description, f"{unit} in the description of a row"
                yield len(row.id.encode()), menu.max_id_bytes, "bytes in the id of a row"
        case LinkButton(title, _) if link := limits.links:
            yield cost(content), link.max_text, f"{unit} in a text over a link"
            yield cost(title), link.max_title, f"{unit} in the title of a link"


def _text_fault(kind: str, body: Body, content: str, capabilities: ChannelCapabilities) -> str | None:
    """Return the fault of the text that the message is, or becomes."""
    text, added = content, ""
    if kind == LOCATION and not capabilities.content.has_locations:
        text, added = _joined(content, _place(location_of(body))), ", with the place as text"
    if kind == INTERACTIVE:
        interactive = interactive_of(body)
        if not _is_taken(interactive, capabilities.content):
            text, added = _joined(content, _lines(interactive)), ", with the choices as lines"
    size = capabilities.cost(text)
    if size <= capabilities.max_text:
        return None
    return f"takes at most {capabilities.max_text} {capabilities.unit} in a text; this one has {size}{added}"
