"""The same suite on the fakes and on Cassandra, which is reached through a proxy that can play an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from domain.ports import ConversationStore, MessageMirror, MessageReader, UserStore
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.link import CassandraConfig
from storage.cassandra.messages import CassandraMessageMirror, CassandraMessageReader
from storage.cassandra.session import CassandraSession
from storage.cassandra.users import CassandraUserStore
from storage.memory import MemoryConversations, MemoryMessages, MemoryUsers


@dataclass
class Stores:
    """One adapter of each port, and the switch of what is behind them."""

    mirror: MessageMirror
    reader: MessageReader
    users: UserStore
    conversations: ConversationStore
    off: Callable[[], Awaitable[None]]
    on: Callable[[], Awaitable[None]]


class Proxy:
    """Passes bytes between 127.0.0.1:``port`` and a server, until ``off``."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self.port = 0

    async def on(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def off(self) -> None:
        if self._server is not None:
            self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, upstream[1]), (upstream[0], writer)):
            pipe = asyncio.create_task(self._pipe(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@pytest.fixture(scope="module", params=["memory", pytest.param("cassandra", marks=pytest.mark.real)])
def target(request: pytest.FixtureRequest) -> CassandraConfig | None:
    """Where the real thing is; ``None`` for the fake."""
    return None if request.param == "memory" else request.getfixturevalue("cassandra")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(target: CassandraConfig | None) -> AsyncIterator[Stores]:
    if target is None:
        yield memory_stores()
        return
    proxy = Proxy(target.hosts[0], target.port)
    await proxy.on()
    async with CassandraSession(replace(target, port=proxy.port)) as session:
        await session.connected(30)
        yield Stores(
            CassandraMessageMirror(session),
            CassandraMessageReader(session),
            CassandraUserStore(session),
            CassandraConversationStore(session),
            proxy.off,
            proxy.on,
        )
    await proxy.off()


def memory_stores() -> Stores:
    messages, users, conversations = MemoryMessages(), MemoryUsers(), MemoryConversations()

    async def switch(available: bool) -> None:
        messages.available = users.available = conversations.available = available

    return Stores(messages, messages, users, conversations, lambda: switch(False), lambda: switch(True))
