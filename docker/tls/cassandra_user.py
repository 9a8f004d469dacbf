"""Makes the user of the settings at a new Cassandra, and locks out ``cassandra``, which every new Cassandra has.

Runs again without effect. Ends with 1 if Cassandra lets neither user in.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from app.cassandra import cassandra_config
from app.settings import Settings
from domain.errors import StoreUnavailable
from storage.cassandra.driver_session import Access
from storage.cassandra.session import CassandraSession

FIRST = "cassandra"  # name and password
LOOK_SECONDS, SECONDS = 5.0, 60.0


async def _run(settings: Settings, statement: str, seconds: float) -> None:
    async with CassandraSession(cassandra_config(settings)) as session:
        await session.connected(seconds)
        await session.run(statement, (), Access.WRITE)


async def make_user(settings: Settings) -> None:
    """Make the user unless it is there, and lock out the first one. Raises ``StoreUnavailable``."""
    name, password = (text.replace("'", "''") for text in (settings.cassandra_username, settings.cassandra_password))
    make = f"CREATE ROLE IF NOT EXISTS '{name}' WITH PASSWORD = '{password}' AND LOGIN = true AND SUPERUSER = true"
    lock_out = f"ALTER ROLE {FIRST} WITH LOGIN = false AND SUPERUSER = false"
    try:
        await _run(settings, lock_out, LOOK_SECONDS)
    except StoreUnavailable:  # a new Cassandra does not know the user
        await _run(replace(settings, cassandra_username=FIRST, cassandra_password=FIRST), make, SECONDS)
        await _run(settings, lock_out, SECONDS)


def main() -> int:
    """Make the user; return the exit code."""
    try:
        asyncio.run(make_user(Settings.from_environ()))
    except StoreUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    print("Cassandra has its user")
    return 0


if __name__ == "__main__":
    sys.exit(main())
