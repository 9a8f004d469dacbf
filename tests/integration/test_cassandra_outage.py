"""The session's promise: it starts without Cassandra, refuses quickly while it is away, and recovers by itself."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import replace

import pytest
from cassandra.cluster import Cluster, Session

import storage.cassandra.session as session_module
from devstack import Stack
from domain.errors import StoreUnavailable
from storage.cassandra.driver_session import Access, CassandraConfig, open_cluster
from storage.cassandra.reader import CassandraMessageReader
from storage.cassandra.schema import migrate, schema_version
from storage.cassandra.session import CassandraSession
from support.proxy import Proxy
from support.waiting import persistently, until

pytestmark = pytest.mark.real


async def refused_in(session: CassandraSession) -> float:
    """Return the seconds that a read took to be refused."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await CassandraMessageReader(session).list("c-1", after=None, limit=10, descending=False)
    return time.monotonic() - began


async def answers(session: CassandraSession, within_seconds: float) -> float:
    """Return the seconds until a read is answered again."""
    began = time.monotonic()
    reader = CassandraMessageReader(session)
    await persistently(
        lambda: reader.list("c-1", after=None, limit=10, descending=False), StoreUnavailable, seconds=within_seconds
    )
    assert time.monotonic() - began < within_seconds
    return time.monotonic() - began


async def test_a_session_starts_while_cassandra_is_down_and_connects_when_it_comes(cassandra: CassandraConfig) -> None:
    proxy = Proxy(cassandra.hosts[0], cassandra.port)
    await proxy.on()
    await proxy.off()  # the port is known now, and refuses
    async with CassandraSession(replace(cassandra, port=proxy.port)) as session:
        assert await refused_in(session) < 3
        assert await refused_in(session) < 0.1
        with pytest.raises(StoreUnavailable, match=r"in 0\.2 s"):
            await session.connected(0.2)
        await proxy.on()
        assert await answers(session, 10) < 5
        await session.connected(0.2)
    await proxy.off()


async def test_a_server_that_accepts_and_never_answers_is_refused_in_time(cassandra: CassandraConfig) -> None:
    proxy = Proxy(cassandra.hosts[0], cassandra.port)
    await proxy.on()
    proxy.stall()
    async with CassandraSession(replace(cassandra, port=proxy.port)) as session:
        assert await refused_in(session) < 3
        proxy.resume()
        await answers(session, 20)
    await proxy.off()


async def test_a_server_that_stalls_is_refused_in_time_and_found_again(cassandra: CassandraConfig) -> None:
    proxy = Proxy(cassandra.hosts[0], cassandra.port)
    await proxy.on()
    async with CassandraSession(replace(cassandra, port=proxy.port)) as session:
        await answers(session, 10)
        proxy.stall()
        assert await refused_in(session) < 3
        proxy.resume()
        await answers(session, 20)
    await proxy.off()


async def test_a_long_outage_gets_a_new_driver_and_says_little(
    cassandra: CassandraConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    renewals = 0

    def counted(config: CassandraConfig) -> tuple[Cluster, Session]:
        nonlocal renewals
        renewals += 1
        return open_cluster(config)

    monkeypatch.setattr(session_module, "open_cluster", counted)
    proxy = Proxy(cassandra.hosts[0], cassandra.port)
    await proxy.on()
    async with CassandraSession(replace(cassandra, port=proxy.port, renew_after_seconds=1.0)) as session:
        await answers(session, 10)
        old = await session.driver()
        await proxy.off()
        renewals = 0
        await until(lambda: renewals > 3)  # so three have failed
        assert await refused_in(session) < 0.1
        await proxy.on()
        await answers(session, 10)
        assert await session.driver() is not old
    await proxy.off()
    shouted = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(shouted) < 20
    assert not any(record.exc_info for record in caplog.records)


async def test_cassandra_may_stop_and_start_under_a_running_session(stoppable_cassandra: Stack) -> None:
    config = CassandraConfig(port=stoppable_cassandra.cassandra_port, keyspace="restarted")
    async with CassandraSession(config) as session:
        await migrate(session, replication_factor=1)
        await answers(session, 10)
        part = stoppable_cassandra.part("cassandra")
        await asyncio.to_thread(part.stop)
        try:
            assert await refused_in(session) < 3
            assert await refused_in(session) < 3
        finally:
            await asyncio.to_thread(part.start)
        await answers(session, 30)
        assert await schema_version(session) > 0
        await session.change("DROP KEYSPACE {ks}")


async def test_a_closed_session_leaves_no_thread_and_refuses(cassandra):
    before = set(threading.enumerate())
    session = CassandraSession(cassandra)
    session.start()
    await session.ping()
    await session.close()
    await session.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await session.ping()
    # the driver's event loop is one for the process, and stays
    await until(lambda: all("event_loop" in one.name.lower() for one in set(threading.enumerate()) - before), 5)


async def test_a_session_closed_while_it_connects_ends_at_once(cassandra: CassandraConfig) -> None:
    proxy = Proxy(cassandra.hosts[0], cassandra.port)
    await proxy.on()
    proxy.stall()
    session = CassandraSession(replace(cassandra, port=proxy.port))
    session.start()
    await until(lambda: proxy.connections)
    began = time.monotonic()
    await session.close()
    assert time.monotonic() - began < 1
    await proxy.off()


async def test_a_session_never_started_refuses(cassandra):
    with pytest.raises(StoreUnavailable, match="not started"):
        await CassandraSession(cassandra).ping()


async def test_many_requests_at_once_are_all_answered(cassandra):
    async with CassandraSession(cassandra) as session:
        cql = "SELECT key FROM system.local WHERE key = 'local'"
        rows = await asyncio.gather(*(session.run(cql, (), Access.READ) for _ in range(500)))
        assert rows == [[("local",)]] * 500
