"""Fakes of the storage ports: dicts in place of tables. They pass the same contract tests as the real adapters.

Set ``available = False`` and every call raises ``StoreUnavailable`` until it is ``True`` again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.conversations import Conversation, Member, Membership
from domain.direct import is_made, sides_among
from domain.errors import AlreadyExists, NotFound, StoreUnavailable
from domain.log_clock import ClockStep, LogClock
from domain.ports import Activity, Joined, LogPosition, MirrorEntry, NewParticipant, StoredMessage, User
from domain.reactions import PersonReaction, reaction_in
from domain.records import MessageAccepted
from domain.status import Fact, MessageState, fold


@dataclass
class Outage:
    """The switch."""

    available: bool = True

    def check(self) -> None:
        """Raises ``StoreUnavailable`` while switched off."""
        if not self.available:
            raise StoreUnavailable("the store is switched off")


@dataclass(slots=True)
class _Row:
    message: MessageAccepted | None = None
    facts: dict[tuple[Fact, int], Fact] = field(default_factory=dict)


class MemoryMessages(Outage):
    """``MessageMirror``, ``MessageReader`` and ``ActivityReader`` over one dict of conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[LogPosition, _Row]] = {}
        self._by_id: dict[str, tuple[str, LogPosition]] = {}
        self._clocks: dict[int, tuple[Sequence[ClockStep], LogPosition | None]] = {}

    async def clock(self, partition: int) -> LogClock:
        """Return what is known of a partition's times."""
        self.check()
        steps, last = self._clocks.get(partition, ([], None))
        return LogClock(partition, steps, last)

    async def write(self, entries: Sequence[MirrorEntry], clocks: Sequence[LogClock] = ()) -> None:
        """Add what ``entries`` say."""
        self.check()
        self._clocks.update({clock.partition: (list(clock.steps), clock.last) for clock in clocks})
        for entry in entries:
            row = self.rows.setdefault(entry.conversation_id, {}).setdefault(entry.position, _Row())
            row.facts.update({(fact, fact.logged_ms): fact for fact in entry.facts})
            if entry.message is not None:
                row.message = entry.message
                here = (entry.conversation_id, entry.position)
                first = min(self._by_id.get(entry.message_id, here), here, key=lambda found: found[1])
                self._by_id[entry.message_id] = first

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return the message, or ``None`` while its content is not there."""
        self.check()
        if message_id not in self._by_id:
            return None
        conversation_id, position = self._by_id[message_id]
        return _stored(position, self.rows[conversation_id][position])

    async def facts(self, message_id: str) -> Sequence[Fact]:
        """Return every fact about a message."""
        self.check()
        if message_id not in self._by_id:
            return []
        conversation_id, position = self._by_id[message_id]
        return list(self.rows[conversation_id][position].facts.values())

    async def list(
        self, conversation_id: str, *, after: LogPosition | None, limit: int, descending: bool
    ) -> Sequence[StoredMessage]:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``)."""
        self.check()
        if limit < 1:
            raise ValueError(f"limit {limit}: expected at least 1")
        rows = sorted(self.rows.get(conversation_id, {}).items(), key=lambda item: item[0], reverse=descending)
        wanted = (
            _stored(position, row)
            for position, row in rows
            if after is None or (position < after if descending else position > after)
        )
        return [stored for stored in wanted if stored is not None and self._is_first(stored)][:limit]

    async def has_reactions(self, conversation_id: str) -> bool:
        """Return whether somebody has reacted in this conversation."""
        self.check()
        return bool(self._reactions(conversation_id))

    async def reactions(self, conversation_id: str, message_ids: Sequence[str]) -> Sequence[PersonReaction]:
        """Return each person's last reaction to each of the messages."""
        self.check()
        last: dict[tuple[str, str], PersonReaction] = {}
        for one in self._reactions(conversation_id):
            if one.message_id in message_ids:
                last[one.message_id, one.by] = one
        return list(last.values())

    def _reactions(self, conversation_id: str) -> Sequence[PersonReaction]:
        """Return the reactions of a conversation in the order of the log."""
        found = (
            reaction_in(row.message, position.accepted_at_ms, position.offset)
            for position, row in sorted(self.rows.get(conversation_id, {}).items(), key=lambda item: item[0])
            if row.message is not None
        )
        return [one for one in found if one is not None]

    def _is_first(self, stored: StoredMessage) -> bool:
        message = stored.message
        return self._by_id[message.message_id] == (message.conversation_id, stored.position)

    async def activities(self, conversation_ids: Sequence[str]) -> Mapping[str, Activity]:
        """Return the position of each conversation's last message."""
        self.check()
        positions = {wanted: self._positions(wanted) for wanted in conversation_ids}
        return {wanted: Activity(found[-1]) for wanted, found in positions.items() if found}

    async def count(self, conversation_id: str, activity: Activity) -> int:
        """Return how many messages there are up to ``activity.last``."""
        self.check()
        rows = self.rows.get(conversation_id, {})
        return sum(
            self._by_id[row.message.message_id] == (conversation_id, position)
            for position, row in rows.items()
            if row.message is not None and position <= activity.last
        )

    def _positions(self, conversation_id: str) -> Sequence[LogPosition]:
        rows = self.rows.get(conversation_id, {})
        return sorted(position for position, row in rows.items() if row.message is not None)


def _stored(position: LogPosition, row: _Row) -> StoredMessage | None:
    if row.message is None:
        return None
    facts = row.facts.values()
    return StoredMessage(row.message, position, fold(facts, MessageState(accepted_at_ms=position.accepted_at_ms)))


class MemoryUsers(Outage):
    """``UserStore`` over one dict of accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, User] = {}
        self._ids: dict[str, str] = {}

    async def create(self, user: User) -> None:
        """Raises ``AlreadyExists`` if the name is taken."""
        self.check()
        if self._ids.setdefault(user.username.lower(), user.user_id) != user.user_id:
            raise AlreadyExists(f"the username {user.username} is taken; choose another")
        self.users[user.user_id] = user

    async def by_username(self, username: str) -> User | None:
        """Return the account of that name, whatever its case."""
        self.check()
        return self.users.get(self._ids.get(username.lower(), ""))

    async def by_id(self, user_id: str) -> User | None:
        """Return the account."""
        self.check()
        return self.users.get(user_id)

    async def usernames(self, user_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the usernames of those whom there are."""
        self.check()
        return {user_id: self.users[user_id].username for user_id in user_ids if user_id in self.users}

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        """Replace the account's password hash. Raises ``NotFound``."""
        self.check()
        if user_id not in self.users:
            raise NotFound(f"there is no user {user_id!r:.80}")
        self.users[user_id] = replace(self.users[user_id], password_hash=password_hash)


class MemoryConversations(Outage):
    """``ConversationStore`` over one dict of conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[str, Conversation] = {}
        self._of_user: dict[str, dict[Joined, None]] = {}

    async def membership(self, conversation_id: str, user_id: str) -> Membership | None:
        """Return whether the user takes part and whether it is a group, ``None`` without such a conversation."""
        self.check()
        known = self._shown(conversation_id)
        return None if known is None else Membership(known.member(user_id) is not None, known.is_group)

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
        """Create the conversation; return ``False`` if it was there already."""
        self.check()
        if conversation_id in self.members:
            return False
        members = tuple(Member(who, created_at_ms, is_group and who == created_by) for who in sorted({*participants}))
        self.members[conversation_id] = Conversation(
            conversation_id, created_at_ms, members, created_by, name, description, is_group, 1
        )
        for who in participants:
            self._of_user.setdefault(who, {})[Joined(conversation_id, created_at_ms)] = None
        return True

    async def participants(self, conversation_id: str) -> Sequence[str] | None:
        """Return who takes part, sorted; ``None`` without such a conversation."""
        self.check()
        known = self._shown(conversation_id)
        return None if known is None else known.participants

    async def get(self, conversation_id: str) -> Conversation | None:
        """Return the conversation."""
        self.check()
        return self._shown(conversation_id)

    def _shown(self, conversation_id: str) -> Conversation | None:
        """Return the conversation; a direct one with its sides alone."""
        known = self.members.get(conversation_id)
        if known is None or not is_made(conversation_id):
            return known
        sides = sides_among(conversation_id, known.participants)
        members = tuple(member for member in known.members if member.participant_id in sides)
        return (
            Conversation(conversation_id, known.created_at_ms, members, known.created_by, version=1) if sides else None
        )

    async def begin_direct(self, conversation_id: str, sides: Sequence[str], at_ms: int, created_by: str) -> None:
        """Have the direct conversation; the earliest creation stays."""
        self.check()
        known = self.members.get(conversation_id)
        if known is None:
            members = tuple(Member(side, at_ms) for side in sorted({*sides}))
            self.members[conversation_id] = Conversation(conversation_id, at_ms, members, created_by, version=1)
        for side in sides:
            self._of_user.setdefault(side, {})[Joined(conversation_id, at_ms)] = None
        if known is None:
            return
        if self._shown(conversation_id) is None:  # others were written there
            new = tuple(Member(side, at_ms) for side in sides if known.member(side) is None)
            both = sorted((*known.members, *new), key=lambda member: member.participant_id)
            self.members[conversation_id] = replace(known, members=tuple(both))
        elif at_ms < known.created_at_ms:
            members = tuple(replace(member, joined_at_ms=at_ms) for member in known.members)
            self.members[conversation_id] = replace(known, created_at_ms=at_ms, created_by=created_by, members=members)

    async def change(self, before: Conversation, after: Conversation) -> bool:
        """Replace ``before`` by ``after``; return ``False`` if it is another one by now."""
        self.check()
        known = self.members.get(before.conversation_id)
        if known is None or known.version != before.version:
            return False
        self.members[before.conversation_id] = after
        for member in set(before.members) | set(after.members):
            theirs = self._of_user.setdefault(member.participant_id, {})
            joined = Joined(before.conversation_id, member.joined_at_ms)
            if after.member(member.participant_id) is None:
                theirs.pop(joined, None)
            else:
                theirs[joined] = None
        return True

    async def join(self, joins: Sequence[NewParticipant]) -> None:
        """Add participants, except those who take part already."""
        self.check()
        for join in joins:
            known = self.members[join.conversation_id]
            if known.member(join.participant_id) is None:
                member = Member(join.participant_id, join.joined_at_ms)
                members = sorted((*known.members, member), key=lambda one: one.participant_id)
                self.members[join.conversation_id] = replace(known, members=tuple(members))
                theirs = self._of_user.setdefault(join.participant_id, {})
                theirs[Joined(join.conversation_id, join.joined_at_ms)] = None

    async def of_user(self, user_id: str, limit: int) -> Sequence[Joined]:
        """Return up to ``limit`` conversations, the last joined first."""
        self.check()
        theirs = self._of_user.get(user_id, {})
        return sorted(theirs, key=lambda joined: (-joined.joined_at_ms, joined.conversation_id))[:limit]
