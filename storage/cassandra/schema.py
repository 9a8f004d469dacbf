"""The versioned schema: ``migrations/NNNN_name.cql``, applied in order, each once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from domain.errors import StoreUnavailable
from storage.cassandra.driver_session import Access
from storage.cassandra.session import CassandraSession

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_SECONDS = 120
_WAIT_FOR_LOCK_SECONDS = 180.0
_NAME = re.compile(r"(\d{4})_(\w+)\.cql")

_BOOTSTRAP = (
    "CREATE TABLE IF NOT EXISTS {ks}.schema_migrations (scope text, version int, name text, checksum text,"
    " applied_at timestamp, PRIMARY KEY (scope, version))",
    "CREATE TABLE IF NOT EXISTS {ks}.schema_lock (scope text PRIMARY KEY, owner uuid)",
)
_VERSION = "SELECT max(version) FROM {ks}.schema_migrations WHERE scope = 'chat4all'"
_APPLIED = "SELECT version, checksum FROM {ks}.schema_migrations WHERE scope = 'chat4all'"
_RECORD = (
    "INSERT INTO {ks}.schema_migrations (scope, version, name, checksum, applied_at) VALUES ('chat4all', ?, ?, ?, ?)"
)
_LOCK = f"INSERT INTO {{ks}}.schema_lock (scope, owner) VALUES ('chat4all', ?) IF NOT EXISTS USING TTL {_LOCK_SECONDS}"
_KEEP = f"UPDATE {{ks}}.schema_lock USING TTL {_LOCK_SECONDS} SET owner = ? WHERE scope = 'chat4all' IF owner = ?"
_UNLOCK = "DELETE FROM {ks}.schema_lock WHERE scope = 'chat4all' IF owner = ?"


class SchemaChanged(Exception):
    """The file of an applied migration has changed. Restore the file, and put the change into a new one."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. ``checksum``: SHA-256 of its text, in hex."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def load_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """Return the migrations of ``folder`` by version.

    Numbers may have gaps: each part of the system owns ten, so branches do not take the same one. A lower number
    added later is still applied, so migrations of different parts must not need each other. Raises ``ValueError`` for
    a file without a number, or a number given twice.
    """
    found: list[Migration] = []
    for path in sorted(folder.glob("*.cql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path}: expected a file named NNNN_<name>.cql")
        version = int(match[1])
        if found and version == found[-1].version:
            raise ValueError(f"{path}: {found[-1].name} has the number {version:04d}, too")
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(version, match[2], checksum, tuple(split_statements(text))))
    return found


def split_statements(text: str) -> list[str]:
    """Return the statements of a migration: separated by semicolons, without ``--`` comments.

    Neither may occur inside a literal; a schema needs none there.
    """
    bare = "\n".join(line.partition("--")[0] for line in text.splitlines())
    return [statement.strip() for statement in bare.split(";") if statement.strip()]


def latest_version() -> int:
    """Return the highest number among the migrations of this release."""
    return load_migrations()[-1].version


async def schema_version(session: CassandraSession) -> int:
    """Return the highest version applied, 0 for none. Raises ``StoreUnavailable``, also before the first migration."""
    rows = await session.run(_VERSION, (), Access.READ)
    return rows[0][0] or 0


async def check_schema(session: CassandraSession, version: int) -> None:
    """Return if the schema has at least ``version``. Raises ``StoreUnavailable``."""
    if await schema_version(session) < version:
        raise StoreUnavailable("the schema is too old: run `chat4all migrate`")


async def migrate(session: CassandraSession, *, replication_factor: int, folder: Path = MIGRATIONS) -> list[str]:
    """Create the keyspace and apply missing migrations; return the names of the applied ones.

    May be called again, and by several processes side by side: one works, the others wait for it. An existing keyspace
    keeps its replication. Raises ``SchemaChanged`` if an applied file has changed, ``StoreUnavailable`` if Cassandra
    or the lock cannot be had in time; then call it again.
    """
    migrations = await asyncio.to_thread(load_migrations, folder)
    await _create_keyspace(session, replication_factor)
    owner = uuid.uuid4()
    await _lock(session, owner)
    try:
        return await _apply(session, migrations, owner)
    finally:
        with suppress(StoreUnavailable):  # then it expires
            await session.run(_UNLOCK, (owner,), Access.CONDITIONAL)


async def _create_keyspace(session: CassandraSession, replication_factor: int) -> None:
    strategy = "SimpleStrategy" if replication_factor == 1 else "NetworkTopologyStrategy"
    replication = f"{{'class': '{strategy}', 'replication_factor': {replication_factor:d}}}"
    await session.change(f"CREATE KEYSPACE IF NOT EXISTS {{ks}} WITH replication = {replication}")
    for statement in _BOOTSTRAP:
        await session.change(statement)


async def _lock(session: CassandraSession, owner: uuid.UUID) -> None:
    deadline = time.monotonic() + _WAIT_FOR_LOCK_SECONDS
    while True:
        row = (await session.run(_LOCK, (owner,), Access.CONDITIONAL))[0]
        if row["[applied]"]:
            return
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"another process has held the schema's lock for {_WAIT_FOR_LOCK_SECONDS:g} s", 60)
        await asyncio.sleep(0.5)


async def _apply(session: CassandraSession, migrations: list[Migration], owner: uuid.UUID) -> list[str]:
    applied: dict[int, str] = dict(await session.run(_APPLIED, (), Access.READ))
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaChanged(f"migration {migration.version:04d}_{migration.name} was applied with another text")
    done = []
    for migration in migrations:
        if migration.version in applied:
            continue
        if not (await session.run(_KEEP, (owner, owner), Access.CONDITIONAL))[0]["[applied]"]:
            raise StoreUnavailable("lost the schema's lock to another process; call again")
        for statement in migration.statements:
            await session.change(statement)
        now_ms = int(time.time() * 1000)
        record = (migration.version, migration.name, migration.checksum, now_ms)
        await session.run(_RECORD, record, Access.WRITE)
        log.info("applied migration %04d_%s", migration.version, migration.name)
        done.append(migration.name)
    return done
