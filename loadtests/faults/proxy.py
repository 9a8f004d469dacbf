"""A TCP proxy to slow, cut, swallow or throttle its traffic, by a seed.

async with Proxy(9042, seed=1) as proxy:
    proxy.manner = Manner(delay_seconds=(0.2, 0.8))
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Manner:
    """The treatment of each chunk in either direction.

    ``delay_seconds``: least and most, drawn from the seed. ``bytes_per_second``: of a connection in a direction; 0: no
    limit. ``cut_share``: probability that the connection ends with the chunk. ``is_half_open``: connections are
    taken and kept, and nothing goes through. ``is_closed``: connections are refused, and open ones are cut.
    """

    delay_seconds: tuple[float, float] = (0.0, 0.0)
    bytes_per_second: float = 0.0
    cut_share: float = 0.0
    is_half_open: bool = False
    is_closed: bool = False


PLAIN = Manner()


class Proxy:
    """Listens on a free port of loopback, ``port``. Setting ``manner`` changes open connections too."""

    def __init__(self, target_port: int, seed: int = 1) -> None:
        self._target_port = target_port
        self._chance = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._manner = PLAIN
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0
        self.connections = 0  # taken so far
        self.cuts = 0

    @property
    def manner(self) -> Manner:
        return self._manner

    @manner.setter
    def manner(self, manner: Manner) -> None:
        self._manner = manner
        (self._flows.clear if manner.is_half_open else self._flows.set)()
        if manner.is_closed:
            for task in self._tasks:
                task.cancel()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.CancelledError, OSError):
                await self._carry(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._manner.is_closed:
            return
        self.connections += 1
        async with asyncio.timeout(CONNECT_SECONDS):
            there, back = await asyncio.open_connection(LOOPBACK, self._target_port)
        try:
            async with asyncio.TaskGroup() as tasks:
                ways = [tasks.create_task(self._pump(reader, back)), tasks.create_task(self._pump(there, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
        finally:
            back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                await self._flows.wait()
                manner = self._manner
                if self._chance.random() < manner.cut_share:
                    self.cuts += 1
                    return
                seconds = pause_seconds(manner, len(chunk), self._chance.uniform)
                if seconds:
                    await asyncio.sleep(seconds)
                sink.write(chunk)
                await sink.drain()


def pause_seconds(manner: Manner, size_bytes: int, between: Callable[[float, float], float]) -> float:
    """Return how long a chunk of ``size_bytes`` waits before it goes on."""
    seconds = between(*manner.delay_seconds) if manner.delay_seconds[1] else 0.0
    return seconds + (size_bytes / manner.bytes_per_second if manner.bytes_per_second else 0.0)
