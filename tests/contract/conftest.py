"""The same suite on the fakes and on Cassandra, which is reached through a proxy that can play an outage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from domain.ports import (
    ActivityReader,
    ConversationStore,
    FileRecords,
    IdentityStore,
    MessageMirror,
    MessageReader,
    RefreshTokenStore,
    UserStore,
)
from storage.cassandra.activity import CassandraActivityReader
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.identities import CassandraIdentityStore
from storage.cassandra.link import CassandraConfig
from storage.cassandra.messages import CassandraMessageMirror, CassandraMessageReader
from storage.cassandra.refresh_tokens import CassandraRefreshTokenStore
from storage.cassandra.session import CassandraSession
from storage.cassandra.users import CassandraUserStore
from storage.memory import MemoryConversations, MemoryMessages, MemoryUsers
from storage.memory_file_records import MemoryFileRecords
from storage.memory_identity import MemoryIdentities, MemoryRefreshTokens


@dataclass
class Stores:
    """One adapter of each port, and the switch of what is behind them."""

    mirror: MessageMirror
    reader: MessageReader
    users: UserStore
    conversations: ConversationStore
    activity: ActivityReader
    identities: IdentityStore
    refresh_tokens: RefreshTokenStore
    file_records: FileRecords
    off: Callable[[], Awaitable[None]]
    on: Callable[[], Awaitable[None]]


@pytest.fixture(scope="module", params=["memory", pytest.param("cassandra", marks=pytest.mark.real)])
def target(request: pytest.FixtureRequest) -> CassandraConfig | None:
    """Where the real thing is; ``None`` for the fake."""
    return None if request.param == "memory" else request.getfixturevalue("cassandra")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(target: CassandraConfig | None, make_proxy: Callable[..., Any]) -> AsyncIterator[Stores]:
    if target is None:
        yield memory_stores()
        return
    proxy = make_proxy(target.hosts[0], target.port)
    await proxy.on()
    async with CassandraSession(replace(target, port=proxy.port)) as session:
        await session.connected(30)
        yield Stores(
            mirror=CassandraMessageMirror(session),
            reader=CassandraMessageReader(session),
            users=CassandraUserStore(session),
            conversations=CassandraConversationStore(session),
            activity=CassandraActivityReader(session),
            identities=CassandraIdentityStore(session),
            refresh_tokens=CassandraRefreshTokenStore(session),
            file_records=CassandraFileRecords(session),
            off=proxy.off,
            on=proxy.on,
        )
    await proxy.off()


def memory_stores() -> Stores:
    messages = MemoryMessages()
    fakes = {
        "users": MemoryUsers(),
        "conversations": MemoryConversations(),
        "identities": MemoryIdentities(),
        "refresh_tokens": MemoryRefreshTokens(),
        "file_records": MemoryFileRecords(),
    }

    async def switch(available: bool) -> None:
        for fake in (messages, *fakes.values()):
            fake.available = available

    return Stores(
        **fakes,
        mirror=messages,
        reader=messages,
        activity=messages,
        off=lambda: switch(False),
        on=lambda: switch(True),
    )
