"""Conversations, their participants, and the groups' admins."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from cassandra.query import UNSET_VALUE, BatchStatement, BatchType

from domain.conversations import Conversation, Member, Membership, is_address
from domain.direct import is_made, sides_among
from domain.errors import StoreUnavailable
from domain.ports import Joined, NewParticipant
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

_CREATE = (
    "INSERT INTO {ks}.conversations (conversation_id, created_at_ms, creation_id, created_by, name, description,"
    " is_group, version) VALUES (?, ?, ?, ?, ?, ?, ?, 1) IF NOT EXISTS"
)
_JOIN = "INSERT INTO {ks}.conversations (conversation_id, participant_id, joined_at_ms, is_admin) VALUES (?, ?, ?, ?)"
# The timestamp falls with the time and is negative: the first join stays, and so does a participant that the
# conversation was created with. Only group members can leave, so no delete has to win over a join.
_ADD = (
    "INSERT INTO {ks}.conversations (conversation_id, participant_id, joined_at_ms) VALUES (?, ?, ?) USING TIMESTAMP ?"
)
# A direct conversation is written without a transaction, since its id says who takes part. Timestamps as above.
_BEGIN = (
    "INSERT INTO {ks}.conversations (conversation_id, created_at_ms, created_by, version) VALUES (?, ?, ?, 1)"
    " USING TIMESTAMP ?"
)
_LEAVE = "DELETE FROM {ks}.conversations WHERE conversation_id = ? AND participant_id = ?"
_CHANGE = "UPDATE {ks}.conversations SET version = ? WHERE conversation_id = ? IF version = ?"
_PARTICIPANT = (
    "SELECT is_group, participant_id FROM {ks}.conversations WHERE conversation_id = ? AND participant_id = ?"
)
_PARTICIPANTS = "SELECT participant_id FROM {ks}.conversations WHERE conversation_id = ?"
_EXISTS = "SELECT is_group FROM {ks}.conversations WHERE conversation_id = ? LIMIT 1"
_WHOLE = (
    "SELECT participant_id, joined_at_ms, is_admin, created_at_ms, created_by, name, description, is_group, version"
    " FROM {ks}.conversations WHERE conversation_id = ?"
)
_REMEMBER = "INSERT INTO {ks}.conversations_by_user (user_id, joined_at_ms, conversation_id) VALUES (?, ?, ?)"
_FORGET = "DELETE FROM {ks}.conversations_by_user WHERE user_id = ? AND joined_at_ms = ? AND conversation_id = ?"
_OF_USER = "SELECT conversation_id, joined_at_ms FROM {ks}.conversations_by_user WHERE user_id = ? LIMIT ?"


class CassandraConversationStore:
    """``domain.ports.ConversationStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def membership(self, conversation_id: str, user_id: str) -> Membership | None:
        """Return whether the user takes part and whether it is a group, ``None`` without such a conversation.

        Raises ``StoreUnavailable``.
        """
        if not is_possible_key(conversation_id):
            return None
        if is_made(conversation_id):
            sides = await self.participants(conversation_id)
            return None if sides is None else Membership(takes_part=user_id in sides, is_group=False)
        async with self._session.deadline():
            found = await self._as_participant(conversation_id, user_id)
            if found is not None:
                return found
            rows = await self._session.run(_EXISTS, (conversation_id,), Access.READ)
            if not rows:
                return None
            # it may have been created between the two reads, with its participants
            found = await self._as_participant(conversation_id, user_id)
        return found or Membership(takes_part=False, is_group=bool(rows[0][0]))

    async def _as_participant(self, conversation_id: str, user_id: str) -> Membership | None:
        if not is_possible_key(user_id):
            return None
        rows = await self._session.run(_PARTICIPANT, (conversation_id, user_id), Access.READ)
        return Membership(takes_part=True, is_group=bool(rows[0][0])) if rows else None

    async def participants(self, conversation_id: str) -> Sequence[str] | None:
        """Return the participants, sorted; ``None`` without such a conversation. Raises ``StoreUnavailable``."""
        if not is_possible_key(conversation_id):
            return None
        async with self._session.deadline():
            rows = await self._session.run(_PARTICIPANTS, (conversation_id,), Access.READ)
        found = [row[0] for row in rows if row[0] is not None]
        if is_made(conversation_id):
            return sides_among(conversation_id, found) or None
        return found if rows else None

    async def get(self, conversation_id: str) -> Conversation | None:
        """Return the conversation, ``None`` if there is none. Raises ``StoreUnavailable``."""
        if not is_possible_key(conversation_id):
            return None
        rows = await self._session.run(_WHOLE, (conversation_id,), Access.READ)
        if not rows:
            return None
        members = tuple(Member(who, joined_at_ms, bool(admin)) for who, joined_at_ms, admin, *_ in rows if who)
        if is_made(conversation_id):
            return _direct(conversation_id, members, rows[0])
        created_at_ms, created_by, name, description, is_group, version = rows[0][3:]
        about = (created_by, name, description, bool(is_group), version or 0)
        return Conversation(conversation_id, created_at_ms, members, *about)

    async def create(
        self,
        conversation_id: str,
        participants: Sequence[str],
        created_at_ms: int,
        *,
        created_by: str | None = None,
        name: str | None = None,
        description: str | None = None,
        is_group: bool = False,
    ) -> bool:
        """Create the conversation with all its participants; change nothing if it exists already.

        Return whether it was created. Raises ``StoreUnavailable``; then it may have been created.
        """
        creation_id = uuid.uuid4()
        about = (created_by, name, description, is_group or None)
        given = (UNSET_VALUE if value is None else value for value in about)
        members = [Member(who, created_at_ms, is_group and who == created_by) for who in dict.fromkeys(participants)]
        async with self._session.deadline():
            await self._remember(conversation_id, members)
            row = await self._decide(
                [(_CREATE, (conversation_id, created_at_ms, creation_id, *given)), *_joins(conversation_id, members)]
            )
        return bool(row["[applied]"] or row["creation_id"] == creation_id)

    async def change(self, before: Conversation, after: Conversation) -> bool:
        """Replace the members of ``before`` by those of ``after``; return ``False`` if ``before`` is out of date.

        Raises ``StoreUnavailable``; then it may have been changed.
        """
        conversation_id = before.conversation_id
        written = [member for member in after.members if member not in before.members]
        gone = [member for member in before.members if after.member(member.participant_id) is None]
        async with self._session.deadline():
            await self._remember(conversation_id, written)
            row = await self._decide(
                [
                    (_CHANGE, (after.version, conversation_id, before.version)),
                    *_joins(conversation_id, written),
                    *((_LEAVE, (conversation_id, member.participant_id)) for member in gone),
                ]
            )
            if row["[applied]"]:
                with suppress(StoreUnavailable):  # readers skip a stale entry
                    await self._by_user(_FORGET, conversation_id, gone)
        return bool(row["[applied]"])

    async def begin_direct(self, conversation_id: str, sides: Sequence[str], at_ms: int, created_by: str) -> None:
        """Write the direct conversation of ``sides``, without a transaction. Raises ``StoreUnavailable``."""
        async with self._session.deadline():
            driver = await self._session.driver()
            begin, add = await driver.prepare(_BEGIN, Access.WRITE), await driver.prepare(_ADD, Access.WRITE)
            remember = await driver.prepare(_REMEMBER, Access.WRITE)
            batch = BatchStatement(BatchType.LOGGED)  # with its entries in the lists of both, or not at all
            batch.add(begin.bind((conversation_id, at_ms, created_by, -at_ms)))
            for side in dict.fromkeys(sides):
                batch.add(add.bind((conversation_id, side, at_ms, -at_ms)))
                if not is_address(side):
                    batch.add(remember.bind((side, at_ms, conversation_id)))
            await self._session.submit(driver, batch, Access.WRITE)

    async def join(self, joins: Sequence[NewParticipant]) -> None:
        """Add participants to conversations other than groups. Raises ``StoreUnavailable``; then any of them may have
        been added."""
        async with self._session.deadline():
            for join in joins:
                await self._remember(join.conversation_id, [Member(join.participant_id, join.joined_at_ms)])
            # no transaction, which costs ten times as much: a join can only be repeated
            session = await self._session.driver()
            statement = await session.prepare(_ADD, Access.WRITE)
            batch = BatchStatement(BatchType.UNLOGGED)
            for join in joins:
                row = (join.conversation_id, join.participant_id, join.joined_at_ms, -join.joined_at_ms)
                batch.add(statement.bind(row))
            await self._session.submit(session, batch, Access.WRITE)

    async def of_user(self, user_id: str, limit: int) -> Sequence[Joined]:
        """Return up to ``limit`` conversations of the user, the last joined first. Raises ``StoreUnavailable``."""
        if not is_possible_key(user_id):
            return []
        rows = await self._session.run(_OF_USER, (user_id, limit), Access.READ)
        return [Joined(conversation_id, joined_at_ms) for conversation_id, joined_at_ms in rows]

    async def _remember(self, conversation_id: str, members: Iterable[Member]) -> None:
        """Write the entries in the lists of ``members`` before the conversation.

        A crash in between leaves a stale entry, which readers skip, instead of a missing one."""
        await self._by_user(_REMEMBER, conversation_id, members)

    async def _by_user(self, cql: str, conversation_id: str, members: Iterable[Member]) -> None:
        rows = [
            (member.participant_id, member.joined_at_ms, conversation_id)
            for member in members
            if not is_address(member.participant_id)
        ]
        await asyncio.gather(*(self._session.run(cql, row, Access.WRITE) for row in rows))

    async def _decide(self, statements: Iterable[tuple[str, tuple[Any, ...]]]) -> Any:
        """Run statements on one partition as one: the condition of the first holds for all of them."""
        driver = await self._session.driver()
        batch = BatchStatement(BatchType.UNLOGGED)
        for cql, values in statements:
            batch.add((await driver.prepare(cql, Access.CONDITIONAL)).bind(values))
        return (await self._session.submit(driver, batch, Access.CONDITIONAL))[0]


def _direct(conversation_id: str, members: Sequence[Member], row: Any) -> Conversation | None:
    """Return the direct conversation with its sides alone; ``None`` if they are not both there."""
    sides = sides_among(conversation_id, [member.participant_id for member in members])
    if not sides:
        return None
    inside = tuple(member for member in members if member.participant_id in sides)
    return Conversation(conversation_id, row[3], inside, row[4], version=row[8] or 0)


def _joins(conversation_id: str, members: Iterable[Member]) -> Iterable[tuple[str, tuple[Any, ...]]]:
    for member in members:
        admin = True if member.is_admin else UNSET_VALUE
        yield _JOIN, (conversation_id, member.participant_id, member.joined_at_ms, admin)
