"""Rewrites rows of messages as the log has them, while the mirror goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.ports import MirrorEntry
from domain.status import Fact
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import bucket_of, encode_fact
from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.session import CassandraSession

_AT = "conversation_id = ? AND bucket = ? AND accepted_at_ms = ? AND position = ?"
_FACTS = f"SELECT facts FROM {{ks}}.messages WHERE {_AT}"
_REMOVE = f"UPDATE {{ks}}.messages SET facts = facts - ? WHERE {_AT}"
# without a time of its own, so it wins over a wrong row whatever time that was written with
_BY_ID = (
    "INSERT INTO {ks}.messages_by_id (message_id, conversation_id, bucket, accepted_at_ms, position)"
    " VALUES (?, ?, ?, ?, ?)"
)


class CassandraRepair:
    """Every write may be repeated. Raises ``StoreUnavailable``."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._mirror = CassandraMessageMirror(session)

    async def facts_now(self, entry: MirrorEntry) -> set[str]:
        """Return the texts of the facts in a row. Ask before the log is read: what is there was on the log by then."""
        rows = await self._session.run(_FACTS, _key(entry), Access.READ)
        return {text for (texts,) in rows for text in texts or ()}

    async def rewrite(self, entries: Sequence[MirrorEntry]) -> None:
        """Write content, facts and the look-up by id as ``entries`` have them; other facts stay."""
        await self._mirror.write(entries)
        for entry in entries:
            if entry.message is not None:
                await self._session.run(_BY_ID, (entry.message_id, *_key(entry)), Access.WRITE)

    async def remove(self, entry: MirrorEntry, texts: set[str]) -> int:
        """Remove those of ``texts`` that are no facts of ``entry``; return their number.

        A fact of an earlier release, without the time of its record, stays if the log has it.
        """
        known = {encode_fact(fact) for fact in entry.facts} | {encode_fact(_unlogged(fact)) for fact in entry.facts}
        surplus = texts - known
        if surplus:
            await self._session.run(_REMOVE, (surplus, *_key(entry)), Access.WRITE)
        return len(surplus)


def _unlogged(fact: Fact) -> Fact:
    return replace(fact, logged_ms=0)


def _key(entry: MirrorEntry) -> tuple[str, int, int, int]:
    position = entry.position
    return entry.conversation_id, bucket_of(position.accepted_at_ms), position.accepted_at_ms, position.offset
