"""Users, their addresses on the channels, and their sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


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

    async def usernames(self, user_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the usernames of those of ``user_ids`` whom there are."""
        ...

    async def set_password_hash(self, user_id: str, password_hash: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Admin:
    """A user with the role admin. ``granted_by``: the operating system's user who granted it."""

    user_id: str
    username: str
    granted_at_ms: int
    granted_by: str


class AdminStore(Protocol):
    """The users with the role admin."""

    async def is_admin(self, user_id: str) -> bool: ...

    async def grant(self, admin: Admin) -> None:
        """Give the role to a user; one who has it keeps it as it was granted first."""
        ...

    async def revoke(self, user_id: str) -> bool:
        """Take the role; return whether the user had it."""
        ...

    async def admins(self) -> Sequence[Admin]:
        """Return up to ``MAX_ADMINS`` admins by username."""
        ...


MAX_ADMINS = 1_000  # that are listed
MAX_IDENTITIES = 20  # of a user


@dataclass(frozen=True, slots=True)
class Identity:
    """A user's address on a channel: ``platform`` is a name of the manifest, ``value`` is normalised for it.

    ``verified``: whether the user has proven the ownership of the address; nothing can prove it yet. Until then the
    link is the user's own claim, and others may claim the same. ``contested``: another user links the address too, and
    this one has not proven it, so its owner is unknown.
    """

    user_id: str
    platform: str
    value: str
    verified: bool
    linked_at_ms: int
    contested: bool = False


class IdentityStore(Protocol):
    """The addresses linked by users. Platforms and values are compared as they are: normalise them before."""

    async def link(self, identity: Identity) -> Identity:
        """Return the identity as stored: an address already linked by the user stays as it is.

        Raises ``AlreadyExists`` if another user has proven the address; ``Conflict`` if the user has
        ``MAX_IDENTITIES``, however many are linked concurrently; ``StoreUnavailable``, after which it may be linked or
        not: link it again.
        """
        ...

    async def unlink(self, user_id: str, platform: str, value: str) -> None:
        """Raises ``NotFound`` if this user has no such identity; after ``StoreUnavailable`` unlink it again."""
        ...

    async def of_user(self, user_id: str) -> Sequence[Identity]:
        """Return the user's identities by platform and value, each with whether it is contested now."""
        ...

    async def owner(self, platform: str, value: str) -> str | None:
        """Return the id of the user with a proof of this address, else of the only one linking it, else ``None``."""
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
        """Replace the session's current token by ``token`` if the current one has the hash ``used_hash``; else return
        ``False``.

        Of several concurrent calls exactly one returns ``True``.
        """
        ...

    async def end(self, session_id: str) -> None:
        """Forget the session, if there is one."""
        ...
