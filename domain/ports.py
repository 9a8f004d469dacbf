"""What the core needs from the outside, as Protocols, and the values that pass through them.

Adapters live in ``storage/`` and ``channels/``; their fakes in ``storage/memory.py`` pass the same contract tests.
Every method may raise ``domain.errors.Unavailable`` when its dependency does not answer in time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domain.conversations import Conversation, Membership
from domain.records import DeliveryRequested, MessageAccepted, StatusChanged
from domain.status import UNKNOWN, Fact, MessageState, Status


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A message's place in its conversation: the broker's append time (epoch ms), then the offset on ``messages``.

    Both are given by the broker within one partition, so places order a conversation exactly as its log does.
    """

    accepted_at_ms: int
    position: int


@dataclass(frozen=True, slots=True)
class Appended:
    """A record is durable in Kafka: where, and since when."""

    place: Place
    partition: int


class MessageLog(Protocol):
    """The log, for writing by the API: accepted messages, and facts about messages inside the system."""

    async def append(self, message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        """Return once every in-sync replica has the record. Raises ``LogUnavailable`` after a bounded wait."""
        ...

    async def report(self, change: StatusChanged, headers: Mapping[str, bytes]) -> None:
        """Return once every in-sync replica has the fact. Raises ``LogUnavailable`` after a bounded wait."""
        ...


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message with everything a list shows."""

    message: MessageAccepted
    place: Place
    state: MessageState


@dataclass(slots=True)
class MirrorEntry:
    """What one mirror batch learnt of one message. ``message`` is there once its ``messages`` record was seen."""

    message_id: str
    conversation_id: str
    place: Place
    message: MessageAccepted | None = None
    facts: list[Fact] = field(default_factory=list)


class MessageMirror(Protocol):
    """History for queries, written by the mirror agent alone. Writes commute and may be repeated.

    A message with an idempotency key (``domain.ids.may_repeat``) may come with two places; its first one counts, in
    whatever order they come.
    """

    async def write(self, entries: Sequence[MirrorEntry]) -> None:
        """Return once all entries are durable. Raises ``StoreUnavailable``; then any part may have been written."""
        ...


class MessageReader(Protocol):
    """History for queries, read by the API."""

    async def get(self, message_id: str) -> StoredMessage | None: ...

    async def list(
        self, conversation_id: str, *, after: Place | None, limit: int, descending: bool
    ) -> Sequence[StoredMessage]:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``), by place."""
        ...


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``password_hash`` is an Argon2id string in PHC format."""

    user_id: str
    username: str
    password_hash: str
    email: str | None
    created_at_ms: int


class UserStore(Protocol):
    async def create(self, user: User) -> None:
        """Raises ``AlreadyExists`` if the username is taken (compared without regard to case)."""
        ...

    async def by_username(self, username: str) -> User | None: ...

    async def by_id(self, user_id: str) -> User | None: ...

    async def set_password_hash(self, user_id: str, password_hash: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A user's address on a channel: ``platform`` is a name of the manifest, ``value`` is normalised for it.

    Nobody but ``user_id`` has this address. ``verified``: whether it was proven to be theirs.
    """

    user_id: str
    platform: str
    value: str
    verified: bool
    linked_at_ms: int


class IdentityStore(Protocol):
    """Which address belongs to whom. Platforms and values are compared as they are: normalise them before."""

    async def link(self, identity: Identity) -> Identity:
        """Return the identity as it stands: an address that the user has already stays as it is.

        Raises ``AlreadyExists`` if it is another user's; ``StoreUnavailable``, after which it may be linked or not:
        link it again.
        """
        ...

    async def unlink(self, user_id: str, platform: str, value: str) -> None:
        """Raises ``NotFound`` if this user has no such identity; after ``StoreUnavailable`` unlink it again."""
        ...

    async def of_user(self, user_id: str) -> Sequence[Identity]:
        """Return the user's identities by platform and value, never one that is another's by now."""
        ...

    async def owner(self, platform: str, value: str) -> str | None:
        """Return the id of the user who has this address, ``None`` if nobody has."""
        ...


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The current refresh token of a session: hashes only (see ``domain.refresh_tokens``), in hex."""

    session_id: str
    user_id: str
    token_hash: str
    expires_at_ms: int


class RefreshTokenStore(Protocol):
    """The sessions there are, each with its current token. A session is forgotten ``ttl_seconds`` after its last one.

    After ``StoreUnavailable`` from a change it may have been made or not.
    """

    async def start(self, token: RefreshToken, ttl_seconds: int) -> None:
        """Store the first token of a new session."""
        ...

    async def find(self, session_id: str) -> RefreshToken | None: ...

    async def rotate(self, used_hash: str, token: RefreshToken, ttl_seconds: int) -> bool:
        """Put ``token`` in place of its session's current one if that has the hash ``used_hash``; else ``False``.

        Of several at once exactly one is told ``True``.
        """
        ...

    async def end(self, session_id: str) -> None:
        """Forget the session, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Joined:
    """One of a user's conversations, and since when (epoch ms). It may be gone, or the user may have left."""

    conversation_id: str
    joined_at_ms: int


class ConversationStore(Protocol):
    async def is_participant(self, conversation_id: str, user_id: str) -> bool | None:
        """Return whether the user takes part, or ``None`` if there is no such conversation."""
        ...

    async def membership(self, conversation_id: str, user_id: str) -> Membership | None:
        """As ``is_participant``, with whether it is a group, where that can change."""
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

    async def participants(self, conversation_id: str) -> Sequence[str] | None:
        """Return the user ids (and addresses) that take part, ``None`` if there is no such conversation."""
        ...

    async def get(self, conversation_id: str) -> Conversation | None: ...

    async def change(self, before: Conversation, after: Conversation) -> bool:
        """Make the members those of ``after``; return ``False`` if the conversation is not ``before`` any more (then
        nothing was changed). Raises ``StoreUnavailable``, after which it may have been changed."""
        ...

    async def of_user(self, user_id: str, limit: int) -> Sequence[Joined]:
        """Return up to ``limit`` conversations that the user joined, the last joined first.

        None that the user takes part in is missing; some may be there that the user has left, or that never came to
        be: ask ``get``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Activity:
    """Of one conversation: every message up to ``last`` is in the history, and up to ``counted_to`` there are
    ``counted`` of them. Both are facts that stay true; later ones replace them."""

    last: Place
    counted_to: Place | None = None
    counted: int = 0


class ActivityReader(Protocol):
    """When something last happened in a conversation, and how much has: for lists of conversations."""

    async def activities(self, conversation_ids: Sequence[str]) -> Mapping[str, Activity]:
        """Return what is known of each conversation that has messages in the history."""
        ...

    async def count(self, conversation_id: str, activity: Activity) -> int:
        """Return how many messages there are up to ``activity.last``; repetition does not count twice."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A channel took the message. ``provider_id`` is the channel's own id of it."""

    provider_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel said later about a message it took."""

    status: Status
    at_ms: int


class Connector(Protocol):
    """One channel.

    ``repeatable`` says whether a send whose outcome is unknown may be made again without a second delivery, because
    the channel recognises our message id. No real provider offers that today; the simulated one does.
    """

    channel: str
    repeatable: bool

    async def send(self, request: DeliveryRequested, attempt: int) -> Sent:
        """Hand the message over. Raises ``DeliveryFailed`` (for good) or ``Unavailable`` (try again)."""
        ...

    def receipts(self, request: DeliveryRequested, sent: Sent) -> AsyncIterator[Receipt]:
        """Yield the receipts that this process itself will see; none for channels that report by webhook."""
        ...


__all__ = [
    "UNKNOWN", "Activity", "ActivityReader", "Appended", "Connector", "ConversationStore", "Identity", "IdentityStore",
    "Joined", "MessageLog", "MessageMirror", "MessageReader", "MirrorEntry", "Place", "Receipt", "RefreshToken",
    "RefreshTokenStore", "Sent", "StoredMessage", "User", "UserStore",
]  # fmt: skip
