"""The real servers that tests share: one Kafka, one Cassandra and one MinIO for a whole run of pytest.

All processes of pytest-xdist use the same ones. Set CHAT4ALL_TEST_STACK=127.0.0.1:9092:9042 (host, Kafka port,
Cassandra port) to borrow servers that run already.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from xdist.remote import Producer

from devstack import Stack
from domain.errors import StoreUnavailable
from storage.cassandra.driver_session import CassandraConfig
from storage.cassandra.schema import migrate
from storage.cassandra.session import CassandraSession
from support import scheduling, seconds, servers
from support.examples import register_profiles
from support.servers import BorrowedStack, RunningMinio, own_stack, require_minio
from support.values import NO_ACCOUNTS
from support.waiting import persistently

register_profiles()


def pytest_configure(config: pytest.Config) -> None:
    # a shell starts what it runs in the background with SIGINT ignored, and so would be the commands that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # what tests start does not read the accounts.toml of the folder in which they run
    os.environ["CHAT4ALL_ACCOUNTS"] = NO_ACCOUNTS
    if not scheduling.is_worker(config):
        servers.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not scheduling.is_worker(config):
        servers.end_run()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if scheduling.is_worker(config):
        scheduling.in_order(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> scheduling.GroupScheduling | None:
    return scheduling.GroupScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_finish() -> None:
    gc.freeze()  # the tests themselves are not looked through at each collection of garbage


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(seconds.line(terminalreporter.stats))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack | BorrowedStack]:
    """Kafka and Cassandra, running."""
    if borrowed := os.environ.get("CHAT4ALL_TEST_STACK"):
        host, kafka_port, cassandra_port = borrowed.split(":")
        yield BorrowedStack(host, int(kafka_port), int(cassandra_port))
        return
    with servers.kafka_and_cassandra().used() as shared:
        yield shared


@pytest.fixture(scope="session")
def minio() -> Iterator[RunningMinio]:
    """A MinIO, running. CHAT4ALL_TEST_MINIO=127.0.0.1:9000 borrows one with its built-in keys."""
    if borrowed := os.environ.get("CHAT4ALL_TEST_MINIO"):
        yield RunningMinio(int(borrowed.rpartition(":")[2]))
        return
    require_minio()
    with servers.minio_alone().used() as shared:
        yield RunningMinio(shared.part("minio").port)


@pytest.fixture
def own_minio() -> Iterator[Stack]:
    """A stack with a MinIO that one test may stop and start."""
    require_minio()
    with own_stack(["minio"]) as own:
        yield own


@pytest.fixture(scope="module")
def stoppable_cassandra() -> Iterator[Stack]:
    """A stack whose Cassandra a test may stop and start, since no other test uses it."""
    with own_stack(["cassandra"]) as own:
        yield own


@pytest.fixture(scope="session")
def cassandra(stack: Stack | BorrowedStack) -> Iterator[CassandraConfig]:
    """A keyspace with the latest schema, for all tests of one process: each makes its rows under ids of its own."""
    with _keyspace(stack) as config:
        yield config


@pytest.fixture(scope="module")
def fresh_cassandra(stack: Stack | BorrowedStack) -> Iterator[CassandraConfig]:
    """A keyspace of one module alone: for an API with topics of its own, whose positions mean nothing to another."""
    with _keyspace(stack) as config:
        yield config


@pytest.fixture(scope="session")
def keyspace(cassandra: CassandraConfig) -> str:
    """The name of that keyspace."""
    return cassandra.keyspace


@contextmanager
def _keyspace(stack: Stack | BorrowedStack) -> Iterator[CassandraConfig]:
    config = CassandraConfig(
        hosts=tuple(stack.cassandra_contact_points),
        port=stack.cassandra_port,
        keyspace=f"test_{uuid.uuid4().hex[:12]}",
    )
    asyncio.run(_create(config))
    yield config
    if isinstance(stack, BorrowedStack):  # the other one goes as a whole
        asyncio.run(_drop(config))


async def _create(config: CassandraConfig) -> None:
    async with CassandraSession(config) as session:
        await session.connected(30)
        # a change of the schema may take long while all processes begin; the next call takes up what the last one left
        await persistently(lambda: migrate(session, replication_factor=1), StoreUnavailable, seconds=90)


async def _drop(config: CassandraConfig) -> None:
    async with CassandraSession(config) as session:
        await session.connected(30)
        await session.change("DROP KEYSPACE {ks}")
