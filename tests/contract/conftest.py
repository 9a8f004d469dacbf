"""The same suite on the fakes and on Cassandra, which is reached through a proxy that can play an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from domain.files import PART_BYTES
from domain.ports import (
    ActivityReader,
    AdminStore,
    ContactStore,
    ConversationStore,
    FileRecords,
    FileStore,
    IdentityStore,
    MessageMirror,
    MessageReader,
    RefreshTokenStore,
    TraceStore,
    UserStore,
)
from fakes.contacts import MemoryContacts
from fakes.file_records import MemoryFileRecords
from fakes.file_store import MemoryFileStore
from fakes.identities import MemoryAdmins, MemoryIdentities, MemoryRefreshTokens
from fakes.stores import MemoryConversations, MemoryMessages, MemoryUsers
from fakes.traces import MemoryTraces
from storage.cassandra.activity import CassandraActivityReader
from storage.cassandra.admins import CassandraAdminStore
from storage.cassandra.contacts import CassandraContactStore
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.driver_session import CassandraConfig
from storage.cassandra.files import CassandraFileRecords
from storage.cassandra.identities import CassandraIdentityStore
from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.reader import CassandraMessageReader
from storage.cassandra.refresh_tokens import CassandraRefreshTokenStore
from storage.cassandra.session import CassandraSession
from storage.cassandra.traces import CassandraTraceStore
from storage.cassandra.users import CassandraUserStore
from storage.local_files import LocalFileStore
from storage.s3 import S3FileStore
from support.proxy import Proxy
from support.servers import RunningMinio
from support.stepping_log import partition_in


@dataclass
class Stores:
    """One adapter of each port, and the switch of what is behind them."""

    mirror: MessageMirror
    reader: MessageReader
    users: UserStore
    admins: AdminStore
    contacts: ContactStore
    conversations: ConversationStore
    activity: ActivityReader
    identities: IdentityStore
    refresh_tokens: RefreshTokenStore
    file_records: FileRecords
    traces: TraceStore
    off: Callable[[], Awaitable[None]]
    on: Callable[[], Awaitable[None]]


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
            mirror=CassandraMessageMirror(session),
            reader=CassandraMessageReader(session, partition_in),
            users=CassandraUserStore(session),
            admins=CassandraAdminStore(session),
            contacts=CassandraContactStore(session),
            conversations=CassandraConversationStore(session),
            activity=CassandraActivityReader(session, partition_in),
            identities=CassandraIdentityStore(session),
            refresh_tokens=CassandraRefreshTokenStore(session),
            file_records=CassandraFileRecords(session),
            traces=CassandraTraceStore(session),
            off=proxy.off,
            on=proxy.on,
        )
    await proxy.off()


def memory_stores() -> Stores:
    messages = MemoryMessages()
    fakes = {
        "users": MemoryUsers(),
        "admins": MemoryAdmins(),
        "contacts": MemoryContacts(),
        "conversations": MemoryConversations(),
        "identities": MemoryIdentities(),
        "refresh_tokens": MemoryRefreshTokens(),
        "file_records": MemoryFileRecords(),
        "traces": MemoryTraces(),
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


@dataclass
class Files:
    """A store of files, and the switch of what is behind it."""

    store: FileStore
    off: Callable[[], Awaitable[None]]
    on: Callable[[], Awaitable[None]]


FILE_STORES = ["memory", "local", pytest.param("s3", marks=pytest.mark.real)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=FILE_STORES)
async def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Files]:
    if request.param == "s3":
        async with s3_files(request.getfixturevalue("minio")) as made:
            yield made
        return
    made = memory_files() if request.param == "memory" else local_files(tmp_path_factory.mktemp("files") / "folder")
    yield made
    await made.store.close()


@asynccontextmanager
async def s3_files(minio: RunningMinio) -> AsyncIterator[Files]:
    """A bucket of a real MinIO, behind a proxy that can play an outage."""
    proxy = Proxy("127.0.0.1", minio.port)
    await proxy.on()
    config = minio.config(url=f"http://127.0.0.1:{proxy.port}", timeout_seconds=10.0)
    store = S3FileStore(config)
    yield Files(store, proxy.off, proxy.on)
    await store.close()
    await proxy.off()
    await minio.delete_bucket(config)


def memory_files() -> Files:
    store = MemoryFileStore(part_bytes=PART_BYTES)

    async def switch(available: bool) -> None:
        store.available = available

    return Files(store, lambda: switch(False), lambda: switch(True))


def local_files(folder: Path) -> Files:
    away = folder.with_name("away")

    def take_away() -> None:
        folder.mkdir(exist_ok=True)
        folder.rename(away)
        folder.symlink_to(folder)  # which nobody can follow, not even root

    def bring_back() -> None:
        folder.unlink()
        away.rename(folder)

    store = LocalFileStore(folder, link_key=bytes(32), timeout_seconds=10)
    return Files(store, lambda: asyncio.to_thread(take_away), lambda: asyncio.to_thread(bring_back))
