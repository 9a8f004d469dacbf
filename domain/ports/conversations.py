"""Conversations: their participants, and their activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.conversations import Conversation, Membership
from domain.log_position import LogPosition


@dataclass(frozen=True, slots=True)
class Joined:
    """One of a user's conversations, and since when (epoch ms). It may be gone, or the user may have left."""

    conversation_id: str
    joined_at_ms: int


@dataclass(frozen=True, slots=True)
class NewParticipant:
    """A user or an address joins a conversation, at ``joined_at_ms`` (epoch ms)."""

    conversation_id: str
    participant_id: str
    joined_at_ms: int


class ConversationStore(Protocol):
    async def membership(self, conversation_id: str, user_id: str) -> Membership | None:
        """Return whether the user takes part and whether it is a group; ``None`` if there is no such conversation."""
        ...

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
        """Create the conversation; return ``False`` if it was there already (and change nothing).

        A group has its creator, if among the participants, as its first admin.
        """
        ...

    async def begin_direct(self, conversation_id: str, sides: Sequence[str], at_ms: int, created_by: str) -> None:
        """Have the direct conversation of ``sides`` whose id ``direct_id`` made; the earliest creation stays.

        It is there with both sides or not at all, however many begin it at once. After ``StoreUnavailable`` it may be
        there. Under such an id the store shows the two sides alone, whoever else was written there.
        """
        ...

    async def participants(self, conversation_id: str) -> Sequence[str] | None:
        """Return the participating user ids (and addresses), ``None`` if there is no such conversation."""
        ...

    async def get(self, conversation_id: str) -> Conversation | None: ...

    async def change(self, before: Conversation, after: Conversation) -> bool:
        """Make the members those of ``after``; return ``False`` and change nothing if the conversation is not
        ``before`` any more. Raises ``StoreUnavailable``, after which it may have been changed.
        """
        ...

    async def join(self, joins: Sequence[NewParticipant]) -> None:
        """Add participants to existing conversations other than groups. Existing participants do not change.

        After ``StoreUnavailable`` any of them may have been added.
        """
        ...

    async def of_user(self, user_id: str, limit: int) -> Sequence[Joined]:
        """Return up to ``limit`` conversations joined by the user, the last joined first.

        None of the user's conversations is missing. Some may be in the list although the user has left them, or they
        were never created: ask ``get``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Activity:
    """Of one conversation: every message up to ``last`` is in the history, and up to ``counted_to`` there are
    ``counted`` of them. Both facts stay true; later ones replace them.
    """

    last: LogPosition
    counted_to: LogPosition | None = None
    counted: int = 0


class ActivityReader(Protocol):
    """When something last happened in a conversation, and how much has: for lists of conversations."""

    async def activities(self, conversation_ids: Sequence[str]) -> Mapping[str, Activity]:
        """Return the activity of each conversation with messages in the history."""
        ...

    async def count(self, conversation_id: str, activity: Activity) -> int:
        """Return how many messages there are up to ``activity.last``; repetition does not count twice."""
        ...
