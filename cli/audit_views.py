"""Reads the audit's other witnesses besides Kafka and Cassandra: files of JSON lines, and a provider's list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from app.audit_witnesses import MOST_TAKEN
from domain.errors import InvalidInput, Unavailable

REQUEST_SECONDS = 10.0
PAGE = 2_000


def lines_in(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of a file. Raises ``InvalidInput`` with the number of a line that is none."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                document = json.loads(line)
            except ValueError:
                document = None
            if not isinstance(document, dict):
                raise InvalidInput(f"{file}: line {number} is no JSON object")
            yield document


def frames_in(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the frames of a file that `chat4all tail --json` wrote."""
    return lines_in(file)


def taken_by(url: str) -> list[Mapping[str, Any]]:
    """Return all that a simulated provider took. Raises ``Unavailable``, and ``InvalidInput`` for another server."""
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"{url[:80]}: expected http://… or https://…", "provider")
    rows: list[Mapping[str, Any]] = []
    after: int | None = 0
    while after is not None and len(rows) <= MOST_TAKEN:
        page = f"{url.rstrip('/')}/taken?after={after}&limit={PAGE}"
        try:
            with urlopen(page, timeout=REQUEST_SECONDS) as answer:
                document = json.load(answer)
            rows += document["taken"]
            after = document.get("next")
        except (URLError, OSError) as error:
            raise Unavailable(f"the provider at {url} does not answer: {error}") from None
        except (ValueError, KeyError, TypeError):
            raise InvalidInput(f"{page} is no list of what a provider took", "provider") from None
    return rows
