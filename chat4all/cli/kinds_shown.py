"""What a message says, in one line for a terminal: its text, its file, and the object of its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from chat4all.cli.output import file_line
from chat4all.cli.safe_text import printable

MOST_SHOWN = 10  # choices, parameters and contacts of one message

Object = Mapping[str, Any]


def content_line(message: Object) -> str:
    """Return the message's content. Nothing in it is obeyed by a terminal, whoever wrote it."""
    kind = str(message.get("kind", "text"))
    parts = (
        f"re {printable(message['reply_to'])}:" if message.get("reply_to") else "",
        printable(message.get("content")),
        _object_of(kind, message.get(kind)),
        file_line(message),
        _reactions_of(message),
    )
    return " ".join(part for part in parts if part)


def is_inbound(message: Object) -> bool:
    """Return whether a person on a channel wrote the message."""
    return message.get("direction") == "inbound"


def _object_of(kind: str, value: object) -> str:
    show = _SHOWN.get(kind)
    return "" if show is None or not isinstance(value, Mapping) else show(value)


def _reactions_of(message: Object) -> str:
    counts = Counter(printable(one.get("emoji")) for one in message.get("reactions") or ())
    return " ".join(f"{emoji}{count if count > 1 else ''}" for emoji, count in counts.items())


def _listed(values: object, show: Callable[[Any], str]) -> str:
    if isinstance(values, Mapping):
        values = [f"{name}={value}" for name, value in values.items()]
    if not isinstance(values, list):
        return ""
    more = f", and {len(values) - MOST_SHOWN} more" if len(values) > MOST_SHOWN else ""
    return ", ".join(show(one) for one in values[:MOST_SHOWN]) + more


def _objects(values: object) -> list[Object]:
    return [one for one in values if isinstance(one, Mapping)] if isinstance(values, list) else []


def _template(body: Object) -> str:
    given = body.get("parameters")
    given = given if isinstance(given, Mapping) else {}
    parts = (_listed(given.get(part), printable) for part in ("header", "body", "buttons"))
    values = "; ".join(part for part in parts if part)
    name = f"{printable(body.get('name'))} {printable(body.get('language'))}"
    return f"[template {name}{f': {values}' if values else ''}]"


def _interactive(body: Object) -> str:
    if body.get("kind") == "link":
        return f"[{printable(body.get('title'))}: {printable(body.get('url'))}]"
    if body.get("kind") == "list":
        rows = [row for section in _objects(body.get("sections")) for row in _objects(section.get("rows"))]
        return f"[{printable(body.get('button'))}: {_listed(rows, _title)}]"
    return f"[{_listed(body.get('buttons'), _title)}]"


def _location(body: Object) -> str:
    parts = (body.get("name"), body.get("address"), f"{body.get('latitude')},{body.get('longitude')}")
    return f"[location {', '.join(printable(part) for part in parts if part)}]"


def _reaction(body: Object) -> str:
    emoji, target = printable(body.get("emoji")), printable(body.get("message_id"))
    return f"[{emoji} to {target}]" if emoji else f"[takes back the reaction to {target}]"


def _contacts(body: Object) -> str:
    return f"[contacts {_listed(body.get('contacts'), _contact)}]"


def _contact(one: Any) -> str:
    if not isinstance(one, Mapping):
        return printable(one)
    return f"{printable(one.get('name'))} {_listed(one.get('phones'), printable)}".strip()


def _title(one: Any) -> str:
    return printable(one.get("title")) if isinstance(one, Mapping) else printable(one)


_SHOWN: Mapping[str, Callable[[Object], str]] = {
    "template": _template,
    "interactive": _interactive,
    "location": _location,
    "reaction": _reaction,
    "contacts": _contacts,
    "sticker": lambda _: "[sticker]",
    "button_reply": lambda body: f"[pressed {_title(body)}]",
    "unsupported": lambda body: f"[a message of a kind not supported: {printable(body.get('type'))}]",
}
