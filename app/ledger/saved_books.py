"""The books in a file, with the offsets up to which they are kept: what a restart goes on from."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from domain.ledger import Books, Opened, Outcome

VERSION = 1
Offsets = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Saved:
    """``offsets``: (topic, partition) → the next record to book. ``books``: by partition number."""

    offsets: Offsets
    books: dict[int, Books]


def save(path: Path, offsets: Mapping[tuple[str, int], int], books: Mapping[int, Books]) -> None:
    """Replace the file in one step: offsets and books belong together."""
    document = {
        "version": VERSION,
        "offsets": [[topic, partition, offset] for (topic, partition), offset in offsets.items()],
        "books": {str(number): _document(of_partition) for number, of_partition in books.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(orjson.dumps(document))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def load(path: Path) -> Saved | None:
    """Return the saved books, ``None`` if there are none or if they cannot be read."""
    try:
        document = orjson.loads(path.read_bytes())
        if document["version"] != VERSION:
            return None
        offsets = {(str(topic), int(partition)): int(offset) for topic, partition, offset in document["offsets"]}
        return Saved(offsets, {int(number): _books(each) for number, each in document["books"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _document(books: Books) -> dict[str, Any]:
    return {
        "accepted": books.accepted,
        "passed_over": books.passed_over,
        "counts": {str(outcome): count for outcome, count in books.counts.items()},
        "open": [[name, opened.position, opened.channel] for name, opened in books.open.items()],
        "unsuccessful": list(books.unsuccessful.items()),
        "repeatable": list(books.repeatable),
    }


def _books(document: Mapping[str, Any]) -> Books:
    books = Books()
    books.accepted = int(document["accepted"])
    books.passed_over = int(document["passed_over"])
    books.counts = {outcome: int(document["counts"][outcome]) for outcome in Outcome}
    books.open = {name: Opened(position, channel) for name, position, channel in document["open"]}
    books.unsuccessful = OrderedDict((name, Outcome(outcome)) for name, outcome in document["unsuccessful"])
    books.repeatable = OrderedDict.fromkeys(document["repeatable"])
    return books
