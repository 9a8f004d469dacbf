"""How far along the log the histories in Cassandra reach."""

from __future__ import annotations

from storage.cassandra.driver_session import Access
from storage.cassandra.session import CassandraSession

_ALL = "SELECT partition, last_place FROM {ks}.clock_compared"


async def last_offsets(session: CassandraSession) -> dict[int, int]:
    """Return, for each partition of ``messages`` with a message in the histories, the offset of the last one.

    Raises ``StoreUnavailable``. Needs the schema of this release.
    """
    return {partition: place[1] for partition, place in await session.run(_ALL, (), Access.READ)}
