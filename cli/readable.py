"""The logs of several processes, as people read them: one line an event, the process's name in its colour."""

from __future__ import annotations

import re
import shutil
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import TextIO

import click
import orjson

MAX_FILE_BYTES = 20 << 20
_NAME_COLOURS = ("bright_black", "cyan", "magenta", "blue", "green", "yellow", "bright_magenta", "bright_cyan")
_LEVEL_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
# 22:25:34.377 INFO     whatsapp  [WhatsApp] Delivered to +5511999999999
_TEXT = re.compile(r"(?P<clock>\d\d:\d\d:\d\d\.\d{3}) (?P<level>[A-Z]+) +\S+ +(?P<message>.*)")
# Faust announces each of its services, and prints a table of what it runs on; the files have it all
_BANNER = re.compile(r"[+|]( |-|ƒ)")


def columns(names: Iterable[str]) -> dict[str, str]:
    """Return the column of each process: its name, padded, all of a role (whatsapp-1, whatsapp-2) in one colour."""
    names = list(names)
    width = max(map(len, names), default=0)
    roles = list(dict.fromkeys(name.rpartition("-")[0] or name for name in names))
    colours = dict(zip(roles, cycle(_NAME_COLOURS), strict=False))
    return {n: click.style(f"{n:<{width}}", fg=colours[n.rpartition("-")[0] or n]) for n in names}


def readable(column: str, line: str) -> str | None:
    """Return a line of a log file for the terminal, ``None`` if it tells people nothing."""
    line = click.unstyle(line)
    clock, level, message = _parts(line)
    if _BANNER.match(line) or not message or (message.startswith("[^") and level == "INFO"):
        return None
    if level in _LEVEL_COLOURS:
        message = click.style(f"{level} {message}", fg=_LEVEL_COLOURS[level])
    return f"{click.style(f'{clock:<12}', dim=True)}  {column}  {message}"


def _parts(line: str) -> tuple[str, str, str]:
    """Clock, level and message of a line of ``app/logs.py``, text or JSON; a line of something else is a message."""
    if match := _TEXT.fullmatch(line):
        return match["clock"], match["level"], match["message"]
    if line.startswith('{"at":'):
        with suppress(orjson.JSONDecodeError, KeyError, ValueError):
            event = orjson.loads(line)
            clock = datetime.fromisoformat(event["at"]).strftime("%H:%M:%S.%f")[:-3]
            error = f"\n{event['error']}" if event.get("error") else ""
            return clock, event["level"], event["message"] + error
    return "", "", line.rstrip()


class Screen:
    """Print lines added to log files, from a separate thread: a blocked terminal blocks no other part."""

    def __init__(self, files: Mapping[str, Path], stream: TextIO | None = None) -> None:
        self._files = files
        self._stream = stream
        self._offsets: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="screen", daemon=True)

    def start(self, *, with_past: bool) -> None:
        """Begin; ``with_past``: with what the files hold already."""
        self._offsets = {name: 0 if with_past else file.stat().st_size for name, file in self._files.items()}
        self._thread.start()

    def end(self, patience_seconds: float = 2.0) -> None:
        """Show the rest, unless the terminal takes too long for it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(patience_seconds)

    def _show(self) -> None:
        stream = self._stream or sys.stdout
        column_of = columns(self._files)
        with suppress(OSError):  # the terminal is gone
            while True:
                is_last = self._ended.is_set()
                for name, file in self._files.items():
                    for line in _added(file, self._offsets, name):
                        if (text := readable(column_of[name], line)) is not None:
                            click.echo(text, file=stream)
                if is_last:
                    return
                self._ended.wait(0.2)


def _added(file: Path, offsets: dict[str, int], name: str) -> Iterable[str]:
    """Yield the complete lines added to ``file`` since the last call."""
    try:
        with file.open("rb") as content:
            size = content.seek(0, 2)
            content.seek(offsets[name] if offsets[name] <= size else 0)  # smaller: it was rolled
            offsets[name] = content.tell()
            while (line := content.readline()).endswith(b"\n"):
                offsets[name] += len(line)
                yield line[:-1].decode(errors="replace")
    except FileNotFoundError:
        return


def fresh(file: Path) -> Path:
    """Empty ``file``, keep its former content as ``….log.1``, and return it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        file.replace(file.with_name(file.name + ".1"))
    file.touch(0o600)
    return file


def keep_short(file: Path, most_bytes: int = MAX_FILE_BYTES) -> None:
    """Move the content of a long file to a second one. Writers append, so they go on undisturbed."""
    with suppress(FileNotFoundError):
        if file.stat().st_size > most_bytes:
            shutil.copyfile(file, file.with_name(file.name + ".1"))
            with file.open("r+b") as content:
                content.truncate(0)
