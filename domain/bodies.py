"""The objects of the kinds as typed values: ``domain/kinds.py`` has their JSON forms.

A ``body`` from a record is untrusted as everything on a topic: each ``…_of`` raises ``MalformedRecord`` for an object
of another form. The API's schemas make only bodies that these functions read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import MalformedRecord

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Button:
    """A button for an answer. ``id`` comes back when it is pressed, and is not shown."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list. ``id`` comes back when it is chosen."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title, which may be empty if there is one section."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Buttons:
    """Interactive: buttons for an answer."""

    buttons: tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class Menu:
    """Interactive: a list of rows, opened by ``button``."""

    button: str
    sections: tuple[Section, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all sections."""
        return tuple(row for section in self.sections for row in section.rows)


@dataclass(frozen=True, slots=True)
class LinkButton:
    """Interactive: a button with ``title`` that opens ``url``."""

    title: str
    url: str


Interactive = Buttons | Menu | LinkButton
# of a template: by position, or by name
Parameters = tuple[str, ...] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Template:
    """A text that the provider approved. ``header``, ``body``: the values of its placeholders. ``buttons``: of each
    button by its index, from 0: the end of its URL."""

    name: str
    language: str
    header: Parameters = ()
    body: Parameters = ()
    buttons: Mapping[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """A place on the map, in degrees (WGS 84)."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction to a message of the same conversation. An empty ``emoji`` takes the reaction back."""

    message_id: str
    emoji: str


def interactive_of(body: Body) -> Interactive:
    """Return the buttons, the list or the link of an ``interactive`` body."""
    match body.get("kind"):
        case "buttons":
            return Buttons(tuple(Button(_text(one, "id"), _text(one, "title")) for one in _objects(body, "buttons")))
        case "list":
            sections = tuple(
                Section(_text(one, "title", ""), tuple(_row(row) for row in _objects(one, "rows")))
                for one in _objects(body, "sections")
            )
            return Menu(_text(body, "button"), sections)
        case "link":
            return LinkButton(_text(body, "title"), _text(body, "url"))
        case other:
            raise MalformedRecord(f"an interactive message has no kind {str(other)[:40]!r}", "body")


def template_of(body: Body) -> Template:
    """Return the template of a ``template`` body."""
    given = body.get("parameters", {})
    if not isinstance(given, Mapping):
        raise MalformedRecord("the template's parameters are no object", "body")
    buttons = _parameters(given, "buttons")
    numbered = buttons.items() if isinstance(buttons, Mapping) else enumerate(buttons)
    try:
        by_index = {int(index): text for index, text in numbered}
    except ValueError:
        raise MalformedRecord("a button of a template has a number", "body") from None
    return Template(
        _text(body, "name"), _text(body, "language"), _parameters(given, "header"), _parameters(given, "body"), by_index
    )


def location_of(body: Body) -> Location:
    """Return the place of a ``location`` body."""
    latitude, longitude = body.get("latitude"), body.get("longitude")
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        raise MalformedRecord("a location has a latitude and a longitude", "body")
    return Location(float(latitude), float(longitude), _text(body, "name", ""), _text(body, "address", ""))


def reaction_of(body: Body) -> Reaction:
    """Return the reaction of a ``reaction`` body."""
    return Reaction(_text(body, "message_id"), _text(body, "emoji", ""))


def _row(row: Body) -> Row:
    return Row(_text(row, "id"), _text(row, "title"), _text(row, "description", ""))


def _text(body: Body, name: str, otherwise: str | None = None) -> str:
    value = body.get(name, otherwise)
    if not isinstance(value, str):
        raise MalformedRecord(f"{name!r} is no text", "body")
    return value


def _objects(body: Body, name: str) -> list[Body]:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise MalformedRecord(f"{name!r} is no list of objects", "body")
    return value


def _parameters(given: Body, name: str) -> Parameters:
    value = given.get(name, [])
    if isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values()):
        return {str(key): str(text) for key, text in value.items()}
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise MalformedRecord(f"{name!r} of a template's parameters is no list and no map of texts", "body")
