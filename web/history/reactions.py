"""The reactions to messages: those of Cassandra, and those that this process saw on the log."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence

from cachetools import LRUCache

from domain.errors import Unavailable
from domain.ports import MessageReader
from domain.reactions import PersonReaction

MAX_REACTIONS = 50_000  # in memory: some 20 MB
REMEMBERED_CONVERSATIONS = 100_000

Reactions = Mapping[str, Sequence[PersonReaction]]


class RecentReactions:
    """The last reaction of each person to each message, at most ``limit``; those of the oldest targets go first."""

    def __init__(self, limit: int = MAX_REACTIONS) -> None:
        self._limit = limit
        self._count = 0
        self._by_target: OrderedDict[str, dict[str, PersonReaction]] = OrderedDict()
        # whether the store may have reactions of a conversation; absent: unknown
        self._may_have: LRUCache[str, bool] = LRUCache(REMEMBERED_CONVERSATIONS)

    def __len__(self) -> int:
        return self._count

    def add(self, conversation_id: str, reaction: PersonReaction) -> None:
        """Add a reaction; an earlier one of the same person changes nothing."""
        self._may_have[conversation_id] = True
        of_target = self._by_target.setdefault(reaction.message_id, {})
        known = of_target.get(reaction.by)
        if known is None:
            self._count += 1
        elif known.offset >= reaction.offset:
            return
        of_target[reaction.by] = reaction
        while self._count > self._limit:
            self._count -= len(self._by_target.popitem(last=False)[1])

    def of(self, message_id: str) -> Mapping[str, PersonReaction]:
        """Return the reactions to a message by person."""
        return self._by_target.get(message_id, {})

    def note_none(self, conversation_id: str) -> None:
        """Remember that the store has no reaction in this conversation, unless one has been on the log lately."""
        self._may_have.setdefault(conversation_id, False)

    def has_none(self, conversation_id: str) -> bool:
        """Return whether the store is known to have no reaction in this conversation."""
        return not self._may_have.get(conversation_id, True)


class ReactionReader:
    """Folds both views. A conversation without reactions costs one query, once a process."""

    def __init__(self, reader: MessageReader, recent: RecentReactions) -> None:
        self._reader = reader
        self._recent = recent

    async def of(self, conversation_id: str, message_ids: Sequence[str]) -> Reactions:
        """Return the reactions to each message that has some, in their order on the log.

        While Cassandra does not answer, those in memory alone: a reaction is no reason to withhold a message.
        """
        found: defaultdict[str, dict[str, PersonReaction]] = defaultdict(dict)
        for reaction in await self._stored(conversation_id, message_ids):
            found[reaction.message_id][reaction.by] = reaction
        for message_id in message_ids:
            for by, reaction in self._recent.of(message_id).items():
                known = found[message_id].get(by)
                if known is None or known.offset <= reaction.offset:
                    found[message_id][by] = reaction
        shown = {
            message_id: sorted((one for one in those.values() if one.emoji), key=lambda one: one.offset)
            for message_id, those in found.items()
        }
        return {message_id: those for message_id, those in shown.items() if those}

    async def _stored(self, conversation_id: str, message_ids: Sequence[str]) -> Sequence[PersonReaction]:
        if not message_ids or self._recent.has_none(conversation_id):
            return ()
        try:
            if await self._reader.has_reactions(conversation_id):
                return await self._reader.reactions(conversation_id, message_ids)
        except Unavailable:
            return ()
        self._recent.note_none(conversation_id)
        return ()
