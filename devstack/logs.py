"""Read the parts' log files: the end of one, or new lines of several."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

_POLL_SECONDS = 0.25
_BYTES_A_LINE = 400


def tail(file: Path, lines: int) -> list[str]:
    """The last lines of a file; nothing when it does not exist. Reads at most 400 bytes a line."""
    try:
        with file.open("rb") as content:
            size = content.seek(0, os.SEEK_END)
            content.seek(max(0, size - lines * _BYTES_A_LINE))
            text = content.read().decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:] if lines else []


def follow(files: Mapping[str, Path], pause: Callable[[float], None] = time.sleep) -> Iterator[tuple[str, str]]:
    """Yield new lines of each file as (name, line), without end. A rolled file is noticed."""
    offsets = {name: _size(file) for name, file in files.items()}
    rests = dict.fromkeys(files, b"")
    while True:
        for name, file in files.items():
            if _size(file) < offsets[name]:
                offsets[name] = 0
            added = _read_from(file, offsets[name])
            offsets[name] += len(added)
            *complete, rests[name] = (rests[name] + added).split(b"\n")
            yield from ((name, line.decode(errors="replace")) for line in complete)
        pause(_POLL_SECONDS)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _read_from(file: Path, offset: int) -> bytes:
    try:
        with file.open("rb") as content:
            content.seek(offset)
            return content.read()
    except OSError:
        return b""
