"""Fakes of the ports about who somebody is: linked identities."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import AlreadyExists, NotFound
from domain.ports import Identity
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
