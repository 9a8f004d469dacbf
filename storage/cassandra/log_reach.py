"""How far along the log the histories in Cassandra reach."""

from __future__ import annotations

from storage.cassandra.driver_session import Access
from storage.cassandra.session import CassandraSession

_ALL = "SELECT partition, last_place FROM {ks}.clock_compared"
# the mirror writes with an offset's successor as the time (``CassandraMessageMirror``), and goes on behind this one
_FORGET = "DELETE FROM {ks}.clock_compared USING TIMESTAMP ? WHERE partition = ?"


async def last_offsets(session: CassandraSession) -> dict[int, int]:
    """Return, for each partition of ``messages`` with a message in the histories, the offset of the last one.

    Raises ``StoreUnavailable``. Needs the schema of this release.
    """
    return {partition: place[1] for partition, place in await session.run(_ALL, (), Access.READ)}


async def forget_last_offset(session: CassandraSession, partition: int, offset: int) -> None:
    """Let the histories of a partition end before ``offset``, which was the last one. Raises ``StoreUnavailable``."""
    await session.run(_FORGET, (offset + 1, partition), Access.WRITE)
