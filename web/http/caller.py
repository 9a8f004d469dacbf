"""The authenticated caller of a request."""

from __future__ import annotations

from typing import NamedTuple

from domain.usernames import PREFIX, folded, names_user


class Caller(NamedTuple):
    """The authenticated caller. ``expires_at_s``: the token's expiry, in epoch seconds. ``session_id`` may be empty."""

    user_id: str
    username: str
    expires_at_s: int
    session_id: str = ""

    def is_called(self, name: str) -> bool:
        """Return whether ``name`` is the caller's user id, or their username: compared as at login, with or without
        ``user:``."""
        if name.lower() == self.user_id:
            return True
        username = name[len(PREFIX) :] if names_user(name) else name
        return bool(self.username) and folded(username) == folded(self.username)
