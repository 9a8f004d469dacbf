"""Fakes of the ports about who somebody is: linked identities, refresh tokens."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from domain.errors import AlreadyExists, Conflict, NotFound
from domain.ports import MAX_IDENTITIES, Admin, Identity, RefreshToken
from fakes.stores import Outage


class MemoryIdentities(Outage):
    """``IdentityStore`` over one dict by address, then by user."""

    def __init__(self) -> None:
        super().__init__()
        self._claims: defaultdict[tuple[str, str], dict[str, Identity]] = defaultdict(dict)

    async def link(self, identity: Identity) -> Identity:
        """Return the identity as it stands. Raises ``AlreadyExists`` if another user has proven it, ``Conflict`` at
        the bound."""
        self.check()
        claims = self._claims[identity.platform, identity.value]
        if any(one.verified and one.user_id != identity.user_id for one in claims.values()):
            raise AlreadyExists(f"another user has proven that this {identity.platform} address is theirs")
        if identity.user_id not in claims and len(await self.of_user(identity.user_id)) >= MAX_IDENTITIES:
            raise Conflict(f"a user has at most {MAX_IDENTITIES} identities; unlink one first")
        return self._now(claims.setdefault(identity.user_id, identity))

    async def unlink(self, user_id: str, platform: str, value: str) -> None:
        """Raises ``NotFound`` if this user has no such identity."""
        self.check()
        if self._claims[platform, value].pop(user_id, None) is None:
            raise NotFound(f"no such {platform} address is linked to you")

    async def of_user(self, user_id: str) -> Sequence[Identity]:
        """Return the user's identities by platform and value."""
        self.check()
        return [self._now(claims[user_id]) for _, claims in sorted(self._claims.items()) if user_id in claims]

    async def owner(self, platform: str, value: str) -> str | None:
        """Return who has proven this address, or the only user who links it."""
        self.check()
        claims = self._claims[platform, value]
        return next((user_id for user_id, one in claims.items() if not self._now(one).contested), None)

    def _now(self, identity: Identity) -> Identity:
        others = self._claims[identity.platform, identity.value].keys() - {identity.user_id}
        return replace(identity, contested=bool(others) and not identity.verified)


class MemoryAdmins(Outage):
    """``AdminStore`` over one dict. ``asked``: how often it was asked for a user."""

    def __init__(self) -> None:
        super().__init__()
        self._admins: dict[str, Admin] = {}
        self.asked = 0

    async def is_admin(self, user_id: str) -> bool:
        self.check()
        self.asked += 1
        return user_id in self._admins

    async def grant(self, admin: Admin) -> None:
        """Give the role."""
        self.check()
        self._admins.setdefault(admin.user_id, admin)

    async def revoke(self, user_id: str) -> bool:
        """Take the role; return whether the user had it."""
        self.check()
        return self._admins.pop(user_id, None) is not None

    async def admins(self) -> Sequence[Admin]:
        """Return all by username."""
        self.check()
        return sorted(self._admins.values(), key=lambda admin: admin.username)


class MemoryRefreshTokens(Outage):
    """``RefreshTokenStore`` over one dict of sessions."""

    def __init__(self) -> None:
        super().__init__()
        self._sessions: dict[str, tuple[RefreshToken, float]] = {}

    async def start(self, token: RefreshToken, ttl_seconds: int) -> None:
        """Store the first token of a session."""
        self.check()
        self._sessions[token.session_id] = (token, time.monotonic() + ttl_seconds)

    async def find(self, session_id: str) -> RefreshToken | None:
        """Return the session's current token."""
        self.check()
        token, ends_at = self._sessions.get(session_id, (None, 0.0))
        return token if time.monotonic() < ends_at else None

    async def rotate(self, used_hash: str, token: RefreshToken, ttl_seconds: int) -> bool:
        """Replace the current token if it is that of ``used_hash``."""
        current = await self.find(token.session_id)
        if current is None or current.token_hash != used_hash:
            return False
        await self.start(token, ttl_seconds)
        return True

    async def end(self, session_id: str) -> None:
        """Forget the session."""
        self.check()
        self._sessions.pop(session_id, None)
