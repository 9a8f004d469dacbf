"""The real parts that tests share: one Kafka and one Cassandra for a whole run of pytest.

Set CHAT4ALL_TEST_STACK=127.0.0.1:9092:9042 (host, Kafka port, Cassandra port) to borrow servers that run already.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from miniopy_async import Minio as MinioClient

from devstack import Stack, StackConfig, StackError
from devstack.minio import Minio
from storage.cassandra.link import CassandraConfig
from storage.cassandra.schema import migrate
from storage.cassandra.session import CassandraSession
from storage.s3_config import S3Config
from support.examples import register_profiles

ROOT = Path(__file__).parent.parent

register_profiles()


@dataclass(frozen=True)
class BorrowedStack:
    """Servers that somebody else started; nobody here may stop them."""

    host: str
    kafka_port: int
    cassandra_port: int

    @property
    def kafka_bootstrap(self) -> str:
        return f"{self.host}:{self.kafka_port}"

    @property
    def cassandra_contact_points(self) -> list[str]:
        return [self.host]


class Proxy:
    """Passes bytes between 127.0.0.1:``port`` and a server: to play refused connections, or a server that stalls."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._bytes_left: int | None = None
        self.port = 0

    async def on(self) -> None:
        """Listen, always on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def off(self) -> None:
        """Refuse connections, and cut those there are."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def cut(self) -> None:
        """Cut the connections there are; take new ones."""
        for pipe in self._pipes:
            pipe.cancel()

    def stall(self) -> None:
        """Keep connections open and accept more, but pass nothing on."""
        self._flows.clear()

    def stall_after(self, size_bytes: int) -> None:
        """Stall when so many bytes have come from now on, both ways together."""
        self._bytes_left = size_bytes

    @property
    def is_stalled(self) -> bool:
        return not self._flows.is_set()

    def resume(self) -> None:
        """Pass on again."""
        self._bytes_left = None
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, upstream[1]), (upstream[0], writer)):
            pipe = asyncio.create_task(self._pipe(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    def _count(self, size_bytes: int) -> None:
        if self._bytes_left is not None:
            self._bytes_left -= size_bytes
            if self._bytes_left < 0:
                self.stall()

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                self._count(len(chunk))
                await self._flows.wait()
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@pytest.fixture(scope="session")
def make_proxy() -> type[Proxy]:
    """``Proxy``, for tests that cannot import this file."""
    return Proxy


@contextmanager
def own_stack(parts: list[str]) -> Iterator[Stack]:
    """The named parts on free ports, gone with all their data at the end."""
    home = ROOT / ".devstack"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="test-", dir=home))
    own = Stack(StackConfig.on_free_ports(folder, home / "jars"))
    try:
        own.up(parts)
        yield own
    finally:
        own.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack | BorrowedStack]:
    """Kafka and Cassandra, running."""
    if borrowed := os.environ.get("CHAT4ALL_TEST_STACK"):
        host, kafka_port, cassandra_port = borrowed.split(":")
        yield BorrowedStack(host, int(kafka_port), int(cassandra_port))
        return
    with own_stack(["kafka", "cassandra"]) as own:
        yield own


@dataclass(frozen=True)
class RunningMinio:
    """A MinIO, and its keys."""

    port: int
    access_key: str = "minioadmin"
    secret_key: str = "minioadmin"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def config(self, **changes: Any) -> S3Config:
        """How to reach it, with a bucket of a new name."""
        keys = {"access_key": self.access_key, "secret_key": self.secret_key}
        return S3Config(**{"url": self.url, "bucket": f"test-{uuid.uuid4().hex[:12]}", **keys, **changes})

    async def delete_bucket(self, config: S3Config) -> None:
        """Delete the bucket with all that is in it."""
        host, keys = f"127.0.0.1:{self.port}", (self.access_key, self.secret_key)
        async with MinioClient(host, *keys, secure=False, region="us-east-1") as client:
            if await client.bucket_exists(config.bucket):
                async for found in client.list_objects(config.bucket, recursive=True):
                    await client.remove_object(config.bucket, found.object_name)
                await client.remove_bucket(config.bucket)


@pytest.fixture(scope="session")
def minio() -> Iterator[RunningMinio]:
    """A MinIO, running. CHAT4ALL_TEST_MINIO=127.0.0.1:9000 borrows one with its built-in keys."""
    if borrowed := os.environ.get("CHAT4ALL_TEST_MINIO"):
        yield RunningMinio(int(borrowed.rpartition(":")[2]))
        return
    require_minio()
    with own_stack(["minio"]) as own:
        yield RunningMinio(own.part("minio").port)


@pytest.fixture
def own_minio() -> Iterator[Stack]:
    """A stack with a MinIO that one test may stop and start."""
    require_minio()
    with own_stack(["minio"]) as own:
        yield own


@pytest.fixture(scope="session")
def minio_config() -> Callable[[Stack], S3Config]:
    """How to reach the MinIO of a stack."""
    return lambda stack: RunningMinio(stack.part("minio").port).config()


def require_minio() -> None:
    """Skip the test if there is no MinIO on this machine, or fail it if there must be one."""
    try:
        is_here = Minio(StackConfig.on_free_ports(ROOT / ".devstack", ROOT / ".devstack" / "jars")).program is not None
        missing = "there is no MinIO here; `make minio` builds it, which takes Go and a few minutes"
    except StackError as error:
        is_here, missing = False, str(error)
    if not is_here:
        if os.environ.get("CHAT4ALL_REQUIRE_MINIO"):
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="module")
def stoppable_cassandra(stack: Stack | BorrowedStack) -> Iterator[Stack]:
    """A stack whose Cassandra a test may stop and start: the shared one, unless that is borrowed."""
    if isinstance(stack, Stack):
        yield stack
    else:
        with own_stack(["cassandra"]) as own:
            yield own


@pytest.fixture(scope="module")
def cassandra(stack: Stack | BorrowedStack) -> Iterator[CassandraConfig]:
    """A fresh keyspace with the latest schema, for one module of tests."""
    config = CassandraConfig(
        hosts=tuple(stack.cassandra_contact_points),
        port=stack.cassandra_port,
        keyspace=f"test_{uuid.uuid4().hex[:12]}",
    )
    asyncio.run(_create(config))
    yield config
    asyncio.run(_drop(config))


@pytest.fixture(scope="module")
def keyspace(cassandra: CassandraConfig) -> str:
    """The name of that keyspace."""
    return cassandra.keyspace


async def _create(config: CassandraConfig) -> None:
    async with CassandraSession(config) as session:
        await session.connected(30)
        await migrate(session, replication_factor=1)


async def _drop(config: CassandraConfig) -> None:
    async with CassandraSession(config) as session:
        await session.connected(30)
        await session.change("DROP KEYSPACE {ks}")
