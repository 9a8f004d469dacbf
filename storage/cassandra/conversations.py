"""Conversations and who takes part in them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from cassandra.query import BatchStatement, BatchType

from storage.cassandra.facts import is_possible_key
from storage.cassandra.link import Kind
from storage.cassandra.session import CassandraSession

_CREATE = "INSERT INTO {ks}.conversations (conversation_id, created_at_ms, creation_id) VALUES (?, ?, ?) IF NOT EXISTS"
_JOIN = "INSERT INTO {ks}.conversations (conversation_id, participant_id, joined_at_ms) VALUES (?, ?, ?)"
_PARTICIPANT = "SELECT participant_id FROM {ks}.conversations WHERE conversation_id = ? AND participant_id = ?"
_PARTICIPANTS = "SELECT participant_id FROM {ks}.conversations WHERE conversation_id = ?"
_EXISTS = "SELECT creation_id FROM {ks}.conversations WHERE conversation_id = ? LIMIT 1"


class CassandraConversationStore:
    """``domain.ports.ConversationStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def is_participant(self, conversation_id: str, user_id: str) -> bool | None:
        """Return whether the user takes part, ``None`` without such a conversation. Raises ``StoreUnavailable``."""
        if not is_possible_key(conversation_id):
            return None
        async with self._session.deadline():
            if await self._takes_part(conversation_id, user_id):
                return True
            if not await self._session.run(_EXISTS, (conversation_id,), Kind.READ):
                return None
            # it may have been created between the two reads, with its participants
            return await self._takes_part(conversation_id, user_id)

    async def participants(self, conversation_id: str) -> Sequence[str] | None:
        """Return who takes part, sorted; ``None`` without such a conversation. Raises ``StoreUnavailable``."""
        if not is_possible_key(conversation_id):
            return None
        async with self._session.deadline():
            rows = await self._session.run(_PARTICIPANTS, (conversation_id,), Kind.READ)
        return [row[0] for row in rows if row[0] is not None] if rows else None

    async def _takes_part(self, conversation_id: str, user_id: str) -> bool:
        key = (conversation_id, user_id)
        return is_possible_key(user_id) and bool(await self._session.run(_PARTICIPANT, key, Kind.READ))

    async def create(self, conversation_id: str, participants: Sequence[str], created_at_ms: int) -> bool:
        """Create the conversation with all its participants or, if it was there already, nothing.

        Return whether it was created. Raises ``StoreUnavailable``, after which it may have been.
        """
        creation_id = uuid.uuid4()
        async with self._session.deadline():
            link = await self._session.link()
            create = await link.prepare(_CREATE, Kind.DECIDE)
            join = await link.prepare(_JOIN, Kind.DECIDE)
            # one partition: the condition holds for the whole batch, which is applied as one
            batch = BatchStatement(BatchType.UNLOGGED)
            batch.add(create.bind((conversation_id, created_at_ms, creation_id)))
            for participant in dict.fromkeys(participants):
                batch.add(join.bind((conversation_id, participant, created_at_ms)))
            row = (await self._session.submit(link, batch, Kind.DECIDE))[0]
        return bool(row["[applied]"] or row["creation_id"] == creation_id)
