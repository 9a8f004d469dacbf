"""Migrations on a real Cassandra."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

import pytest
import pytest_asyncio

from domain.errors import StoreUnavailable
from storage.cassandra.driver_session import Access
from storage.cassandra.schema import (
    SchemaChanged,
    check_schema,
    latest_version,
    load_migrations,
    migrate,
    schema_version,
)
from storage.cassandra.session import CassandraSession

pytestmark = pytest.mark.real


@pytest.fixture
def config(cassandra):
    return replace(cassandra, keyspace=f"test_{uuid.uuid4().hex[:12]}")


@pytest.fixture
def small(tmp_path):
    """A folder with migrations of its own: fewer than the product's, of which each takes a while."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_first.cql").write_text("CREATE TABLE IF NOT EXISTS {ks}.a (id text PRIMARY KEY);")
    (folder / "0002_second.cql").write_text("CREATE TABLE IF NOT EXISTS {ks}.b (id text PRIMARY KEY);")
    return folder


@pytest_asyncio.fixture
async def empty(config):
    """A session whose keyspace does not exist yet."""
    async with CassandraSession(config) as session:
        yield session
        await session.change("DROP KEYSPACE IF EXISTS {ks}")


async def test_before_the_first_migration_the_store_says_what_to_do(empty):
    with pytest.raises(StoreUnavailable, match="chat4all migrate"):
        await schema_version(empty)


async def test_migrating_twice_applies_once(empty):
    names = [migration.name for migration in load_migrations()]
    assert await migrate(empty, replication_factor=1) == names
    assert await migrate(empty, replication_factor=1) == []
    assert names
    assert await schema_version(empty) == latest_version()


async def test_a_schema_that_lacks_a_migration_is_not_ready(empty, small):
    with pytest.raises(StoreUnavailable, match="chat4all migrate"):
        await check_schema(empty, 2)
    await migrate(empty, replication_factor=1, folder=small)
    await check_schema(empty, 2)
    with pytest.raises(StoreUnavailable, match="chat4all migrate"):
        await check_schema(empty, 3)


async def test_two_processes_may_migrate_at_once(empty, small):
    async with CassandraSession(empty.config) as other:
        first, second = await asyncio.gather(
            migrate(empty, replication_factor=1, folder=small), migrate(other, replication_factor=1, folder=small)
        )
    assert sorted([first, second]) == [[], ["first", "second"]]


async def test_a_new_migration_is_applied_and_a_changed_one_refused(empty, small):
    await migrate(empty, replication_factor=1, folder=small)
    new = small / "0003_more.cql"
    new.write_text("-- more; of it\nALTER TABLE {ks}.a ADD IF NOT EXISTS locale text;\n")
    assert await migrate(empty, replication_factor=1, folder=small) == ["more"]
    new.write_text(new.read_text() + "CREATE TABLE {ks}.other (id text PRIMARY KEY);")
    with pytest.raises(SchemaChanged, match="more"):
        await migrate(empty, replication_factor=1, folder=small)
    new.unlink()
    # an older release beside a newer one: nothing to do, and it says which version it found
    assert await migrate(empty, replication_factor=1, folder=small) == []
    assert await schema_version(empty) == 3


async def test_a_lower_number_that_comes_later_is_applied_too(empty, tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0020_later.cql").write_text("CREATE TABLE IF NOT EXISTS {ks}.b (id text PRIMARY KEY);")
    assert await migrate(empty, replication_factor=1, folder=folder) == ["later"]
    (folder / "0010_earlier.cql").write_text("CREATE TABLE IF NOT EXISTS {ks}.a (id text PRIMARY KEY);")
    assert await migrate(empty, replication_factor=1, folder=folder) == ["earlier"]
    assert await schema_version(empty) == 20


async def test_a_migration_that_failed_half_way_is_taken_up_again(empty, tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    file = folder / "0001_first.cql"
    file.write_text("CREATE TABLE IF NOT EXISTS {ks}.a (id text PRIMARY KEY); CREATE TABEL {ks}.b (id text);")
    with pytest.raises(Exception, match="TABEL"):
        await migrate(empty, replication_factor=1, folder=folder)
    assert await schema_version(empty) == 0
    file.write_text(file.read_text().replace("TABEL {ks}.b (id text)", "TABLE {ks}.b (id text PRIMARY KEY)"))
    assert await migrate(empty, replication_factor=1, folder=folder) == ["first"]


async def test_the_replication_factor_is_asked_for(empty):
    with pytest.raises(StoreUnavailable, match="LOCAL_QUORUM"):  # one node cannot make a quorum of three
        await migrate(empty, replication_factor=3)
    cql = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?"
    ((replication,),) = await empty.run(cql, (empty.config.keyspace,), Access.READ)
    assert set(dict(replication).values()) == {"org.apache.cassandra.locator.NetworkTopologyStrategy", "3"}
