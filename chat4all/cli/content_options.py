"""The options of `chat4all send` that say what a message is besides its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_NAMED = re.compile(r"([a-z0-9_]+)=(.*)", re.DOTALL)

_OPTIONS = (
    click.option("--template", metavar="NAME:LANG", help="An approved template, such as order_update:pt_BR."),
    click.option(
        "--param", "params", multiple=True, metavar="VALUE|NAME=VALUE", help="Of the template's text, one by one."
    ),
    click.option("--header-param", "header_params", multiple=True, metavar="VALUE", help="Of the template's header."),
    click.option("--button-param", "button_params", multiple=True, metavar="VALUE", help="The end of a button's URL."),
    click.option("--button", "buttons", multiple=True, metavar="[ID=]TITLE", help="A button under the text."),
    click.option("--row", "rows", multiple=True, metavar="[ID=]TITLE", help="A row of a list under the text."),
    click.option("--link", metavar="TITLE=URL", help="A button under the text that opens the URL."),
    click.option("--location", metavar="LAT,LONG[,NAME[,ADDRESS]]", help="A place, in place of the text."),
    click.option("--reply-to", metavar="MESSAGE_ID", help="The message of the conversation that it answers."),
)


def content_options(command: F) -> F:
    """Add the options to a command, which gets them by ``content_of``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


NAMES = ("template", "params", "header_params", "button_params", "buttons", "rows", "link", "location", "reply_to")


def content_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``Client.send`` for the options. Raises ``click.UsageError`` if they contradict."""
    made = {
        "template": _template(given),
        "interactive": _interactive(given),
        "location": _location(given["location"]),
    }
    fields = {name: value for name, value in made.items() if value is not None}
    if len(fields) > 1:
        raise click.UsageError(f"a message has one kind: {' or '.join(fields)}")
    if given["reply_to"]:
        fields["reply_to"] = given["reply_to"]
    return fields


def has_no_text(fields: Mapping[str, Any]) -> bool:
    """Return whether a message of these fields has no text."""
    return "template" in fields or "location" in fields


def _template(given: Mapping[str, Any]) -> dict[str, Any] | None:
    values = {part: given[name] for part, name in (("header", "header_params"), ("buttons", "button_params"))}
    parameters: dict[str, Any] = {part: list(texts) for part, texts in values.items() if texts}
    if given["params"]:
        parameters["body"] = _by_name(given["params"])
    if given["template"] is None:
        if parameters:
            raise click.UsageError("the parameters need a --template NAME:LANG")
        return None
    name, colon, language = given["template"].partition(":")
    if not (name and colon and language):
        raise click.UsageError("expected --template NAME:LANG, such as order_update:pt_BR")
    return {"name": name, "language": language, **({"parameters": parameters} if parameters else {})}


def _by_name(params: Sequence[str]) -> list[str] | dict[str, str]:
    """Return a map if every parameter has the form NAME=VALUE, else a list."""
    matches = [_NAMED.fullmatch(param) for param in params]
    named = {match[1]: match[2] for match in matches if match}
    return named if len(named) == len(params) else list(params)


def _interactive(given: Mapping[str, Any]) -> dict[str, Any] | None:
    kinds = [name for name in ("buttons", "rows", "link") if given[name]]
    if len(kinds) > 1:
        raise click.UsageError("expected --button, --row or --link, one of the three")
    if given["buttons"]:
        return {"kind": "buttons", "buttons": _choices(given["buttons"])}
    if given["rows"]:
        return {"kind": "list", "sections": [{"rows": _choices(given["rows"])}]}
    if given["link"]:
        title, equals, url = given["link"].partition("=")
        if not (title and equals and url):
            raise click.UsageError("expected --link TITLE=URL")
        return {"kind": "link", "title": title, "url": url}
    return None


def _choices(texts: Sequence[str]) -> list[dict[str, str]]:
    """Return the choices; one without an id has its title as id."""
    split = [text.partition("=") for text in texts]
    return [{"id": first, "title": title if equals else first} for first, equals, title in split]


def _location(text: str | None) -> dict[str, Any] | None:
    if not text:
        return None
    latitude, longitude, *words = (part.strip() for part in (*text.split(",", 3), "", "", "")[:4])
    try:
        place: dict[str, Any] = {"latitude": float(latitude), "longitude": float(longitude)}
    except ValueError:
        raise click.UsageError("expected --location LATITUDE,LONGITUDE in degrees, such as -23.55,-46.63") from None
    return place | {name: word for name, word in zip(("name", "address"), words, strict=True) if word}
