"""Fakes of the ports about who somebody is: linked identities, refresh tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence

from domain.errors import AlreadyExists, NotFound
from domain.ports import Identity, RefreshToken
from storage.memory import Outage


class MemoryIdentities(Outage):
    """``IdentityStore`` over one dict by address."""

    def __init__(self) -> None:
        super().__init__()
        self._identities: dict[tuple[str, str], Identity] = {}

    async def link(self, identity: Identity) -> Identity:
        """Return the identity as it stands. Raises ``AlreadyExists`` if it is another user's."""
        self.check()
        known = self._identities.setdefault((identity.platform, identity.value), identity)
        if known.user_id != identity.user_id:
            raise AlreadyExists(f"this {identity.platform} address is linked to another user")
        return known

    async def unlink(self, user_id: str, platform: str, value: str) -> None:
        """Raises ``NotFound`` if this user has no such identity."""
        self.check()
        if await self.owner(platform, value) != user_id:
            raise NotFound(f"no such {platform} address is linked to you")
        del self._identities[platform, value]

    async def of_user(self, user_id: str) -> Sequence[Identity]:
        """Return the user's identities by platform and value."""
        self.check()
        return [known for _, known in sorted(self._identities.items()) if known.user_id == user_id]

    async def owner(self, platform: str, value: str) -> str | None:
        """Return the user who has this address."""
        self.check()
        known = self._identities.get((platform, value))
        return known.user_id if known else None


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
