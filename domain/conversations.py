"""Conversations and groups: their members, and the rules for changing them.

A group is a conversation with a name, whose members its admins choose. Any other conversation keeps its participants
for ever, so a right to be in it never ends; addresses join it by writing to it. Addresses (``whatsapp:+55…``) may take
part beside users; they administer nothing.

The functions below decide; ``ConversationStore.change`` stores the result if nothing else changed meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.errors import AlreadyExists, Conflict, NotAllowed, NotFound

MAX_MEMBERS = 256
MAX_NAME_CHARS = 100
MAX_DESCRIPTION_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Member:
    """A participant: a user id, or a channel's address. ``joined_at_ms``: epoch milliseconds."""

    participant_id: str
    joined_at_ms: int
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as it was read. ``members`` are in the order of their ids; ``version`` rises with each change."""

    conversation_id: str
    created_at_ms: int
    members: tuple[Member, ...] = ()
    created_by: str | None = None
    name: str | None = None
    description: str | None = None
    is_group: bool = False
    version: int = 0

    @property
    def participants(self) -> list[str]:
        """The ids and addresses of the participants."""
        return [member.participant_id for member in self.members]

    @property
    def admins(self) -> list[str]:
        """The ids of the admins, who may change the group."""
        return [member.participant_id for member in self.members if member.is_admin]

    def member(self, participant_id: str) -> Member | None:
        """Return the member with this id, or ``None``."""
        return next((member for member in self.members if member.participant_id == participant_id), None)


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a user takes part, and whether this can end (only in a group). Checked before every access."""

    takes_part: bool
    is_group: bool


def is_address(participant_id: str) -> bool:
    """Return whether a participant is a channel's address rather than a user: ids of users hold no colon."""
    return ":" in participant_id


def with_member(group: Conversation, actor_id: str, participant_id: str, now_ms: int) -> Conversation:
    """Return ``group`` with one more member.

    Raises ``NotAllowed`` unless the actor is an admin, ``AlreadyExists``, and ``Conflict`` if the group is full.
    """
    require_admin(group, actor_id)
    if group.member(participant_id) is not None:
        raise AlreadyExists(f"{participant_id} is a member already")
    if len(group.members) >= MAX_MEMBERS:
        raise Conflict(f"the group is full: it has {MAX_MEMBERS} members")
    return _changed(group, (*group.members, Member(participant_id, now_ms)))


def without_member(group: Conversation, actor_id: str, participant_id: str) -> Conversation:
    """Return ``group`` with one member less. Admins remove anybody; every member may leave.

    The last admin may leave only if no other user is left, because a group with users needs an admin. Raises
    ``NotAllowed``, ``NotFound`` and, for the last admin, ``Conflict``.
    """
    if actor_id != participant_id:
        require_admin(group, actor_id)
    leaving = group.member(participant_id)
    if leaving is None:
        raise NotFound(f"{participant_id} is no member of this group")
    rest = tuple(member for member in group.members if member is not leaving)
    has_users = any(not is_address(member.participant_id) for member in rest)
    if leaving.is_admin and has_users and not any(member.is_admin for member in rest):
        raise Conflict("the last admin cannot leave: make another member an admin first")
    return _changed(group, rest)


def with_admin(group: Conversation, actor_id: str, participant_id: str) -> Conversation:
    """Return ``group`` with a member as an admin; ``group`` itself if the member is one already.

    Raises ``NotAllowed`` unless the actor is an admin, ``NotFound``, and ``Conflict`` for an address.
    """
    require_admin(group, actor_id)
    member = group.member(participant_id)
    if member is None:
        raise NotFound(f"{participant_id} is no member of this group")
    if is_address(participant_id):
        raise Conflict("only a user of this system can be an admin")
    if member.is_admin:
        return group
    rest = (other for other in group.members if other is not member)
    return _changed(group, (*rest, replace(member, is_admin=True)))


def require_admin(group: Conversation, actor_id: str) -> None:
    """Raises ``NotAllowed`` unless the actor may change the group."""
    actor = group.member(actor_id)
    if actor is None:
        raise NotAllowed("you take no part in this conversation")
    if not actor.is_admin:
        raise NotAllowed("only an admin of the group may do that")


def _changed(group: Conversation, members: tuple[Member, ...]) -> Conversation:
    ordered = tuple(sorted(members, key=lambda member: member.participant_id))
    return replace(group, members=ordered, version=group.version + 1)
