"""The metrics of all processes that share the API's port, whichever of them a scrape meets.

Each process answers its siblings on a Unix socket in a folder of the machine, named by the port. A scrape shows every
process once, told apart by the label ``process``. Without it, counters would seem to jump back and forth.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.0
MOST_BYTES = 4 << 20
MOST_SIBLINGS = 64


class Siblings:
    """``render`` returns the metrics of this process; ``process`` is its name, empty: it is alone."""

    def __init__(self, port: int, process: str, render: Callable[[], bytes], folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"chat4all-api-{os.getuid()}-{port}"
        self._process = process
        self._render = render

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer the siblings meanwhile. Where no socket can be made, each process shows itself alone."""
        server = None
        own = self._own
        if self._process:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if self._folder.stat().st_uid != os.getuid():
                    raise PermissionError(f"{self._folder} belongs to another user")
                own.unlink(missing_ok=True)
                server = await asyncio.start_unix_server(self._answer, own)
            except OSError as error:
                log.warning("/metrics shows one process of the API at a time: %s", error)
        try:
            yield
        finally:
            if server is not None:
                server.close()
                own.unlink(missing_ok=True)

    @property
    def _own(self) -> Path:
        return self._folder / f"{self._process}.sock"

    async def text(self) -> bytes:
        """Return the metrics of this process and of each sibling that answers in time."""
        others: list[Path] = []
        if self._process:
            others = [path for path in sorted(self._folder.glob("*.sock")) if path != self._own][:MOST_SIBLINGS]
        answers = await asyncio.gather(*map(_ask, others))
        return merged([self._render(), *(answer for answer in answers if answer)])

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(self._render())
            await writer.drain()
        writer.close()


async def _ask(path: Path) -> bytes:
    """Return the answer of one sibling, nothing if there is none. A socket without a process is removed."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await _whole(reader)
            finally:
                writer.close()
    except (ConnectionRefusedError, FileNotFoundError):
        path.unlink(missing_ok=True)  # noqa: ASYNC240  one system call
    except (OSError, TimeoutError) as error:
        log.debug("no metrics from %s: %r", path.name, error)
    return b""


async def _whole(reader: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while part := await reader.read(65_536):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            return b""
    return b"".join(parts)


def merged(texts: Iterable[bytes]) -> bytes:
    """Return one exposition: the samples of a metric stand together, behind its only ``HELP`` and ``TYPE``."""
    heads: dict[bytes, list[bytes]] = {}
    samples: dict[bytes, list[bytes]] = {}
    for text in texts:
        name = b""
        for line in text.splitlines():
            if line.startswith(b"# HELP "):
                name = line.split(b" ", 3)[2]
                heads.setdefault(name, [line])
                samples.setdefault(name, [])
            elif line.startswith(b"#"):
                if len(heads[name]) < 2:
                    heads[name].append(line)
            elif line:
                samples[name].append(line)
    return b"".join(line + b"\n" for name in heads for line in (*heads[name], *samples[name]))
