"""Output of the API commands: sentences and columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any

import click

from chat4all.cli.safe_text import printable as printable

_COLOURS = {"READ": "green", "DELIVERED": "cyan", "SENT": "blue", "FAILED": "red"}
_UNITS = ("bytes", "KiB", "MiB", "GiB")


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    FAILED = 1
    WRONG = 2
    NO_API = 3
    INTERRUPTED = 130  # as the shell says it: 128 and the signal's number


EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 wrong as it was asked for, 3 no API is reachable, 130 interrupted."
)


class Output:
    """Prints to stdout. With ``as_json`` every document and every error is one line."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, document: Mapping[str, Any], text: str) -> None:
        """Print one thing."""
        click.echo(json.dumps(document) if self.as_json else text)

    def table(self, name: str, documents: Sequence[Mapping[str, Any]], rows: Iterable[Sequence[str]]) -> None:
        """Print a list: as the object ``{name: […]}``, or as rows of aligned columns."""
        if self.as_json:
            click.echo(json.dumps({name: list(documents)}))
            return
        cells = [list(row) for row in rows]
        widths = [max(len(click.unstyle(cell)) for cell in column) for column in zip(*cells, strict=True)]
        for row in cells:
            padded = (cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True))
            click.echo("  ".join(padded).rstrip())

    def fail(self, detail: str, code: int, **more: Any) -> Exit:
        """Tell why it goes no further; ``more`` is for programs. Return ``code``."""
        if self.as_json:
            click.echo(json.dumps({"event": "error", "detail": detail, "exit_code": code, **more}))
        else:
            click.echo(f"Error: {printable(detail)}", err=True)
        return Exit(code)


def counted(number: int, noun: str) -> str:
    """Return ``1 message`` or ``2 messages``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def clock(at: str | None) -> str:
    """Return a time of the API as this machine's clock shows it."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def word(status: str, width: int = 0) -> str:
    """Return a status word in its colour."""
    return click.style(f"{printable(status):<{width}}", fg=_COLOURS.get(status), bold=True)


def size_text(size_bytes: int) -> str:
    """Return ``512 bytes``, ``1.4 MiB``, ``2.0 GiB``."""
    size, unit = float(size_bytes), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size_bytes} byte{'' if size_bytes == 1 else 's'}"


def file_facts(file: Mapping[str, Any]) -> str:
    """Return name, size and type of a file for a terminal."""
    return f"{printable(file['filename'])}, {size_text(file['size_bytes'])}, {printable(file['mimetype'])}"


def file_line(message: Mapping[str, Any]) -> str:
    """Return ``[photo.jpg, 1.4 MiB, image/jpeg, file 0193…]`` for a message with a file, else nothing."""
    if not message.get("file_id"):
        return ""
    known = message.get("file_metadata")
    return f"[{file_facts(known) + ', ' if known else ''}file {printable(message['file_id'])}]"
