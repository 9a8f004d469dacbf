"""An account for trials. Its random password is kept in a file readable by this user only.

~/.config/chat4all/demo-users.json
{"http://127.0.0.1:8080": {"username": "demo_3f9a1c", "password": "…"}}

Earlier releases kept one in `.chat4all/` of the current folder; it is taken over when it is met there.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chat4all import Client, Conflict, NotLoggedIn
from chat4all.cli.private_file import PrivateFile
from chat4all.cli.saved_sessions import default_file

OLD_FILE = Path(".chat4all/demo-user.json")
_REMEDY = "delete it; the next `chat4all send` makes another demo user"


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A name and a password."""

    username: str
    password: str = field(repr=False)


class DemoUsers:
    """The demo user of this machine's user at each API. Several commands may use the file at once."""

    def __init__(self, url: str, file: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._file = PrivateFile(file or default_file().with_name("demo-users.json"), _REMEDY)

    def known(self) -> DemoUser | None:
        """Return the demo user at this API, ``None`` if there is none yet. Raises ``CannotKeepSessions``."""
        return _user_of(self._file.read().get(self._url))

    async def known_or_new(self) -> DemoUser:
        """Return the demo user, created if needed. If several commands create it concurrently, one wins."""
        if (user := self.known()) is not None:
            return user
        async with self._file.lock():
            return self.known() or self._keep(_of_an_earlier_release() or _new())

    async def another(self, than: DemoUser) -> DemoUser:
        """Return another demo user: somebody else has the name of ``than``."""
        async with self._file.lock():
            user = self.known()
            return user if user is not None and user != than else self._keep(_new())

    def _keep(self, user: DemoUser) -> DemoUser:
        self._file.write({**self._file.read(), self._url: asdict(user)})
        return user


async def log_in(client: Client, users: DemoUsers | None = None) -> DemoUser:
    """Log ``client`` in as the demo user; make the account if it is not there.

    Raises ``ApiError``, ``ApiUnavailable``, ``CannotKeepSessions``.
    """
    users = users or DemoUsers(client.url)
    user = await users.known_or_new()
    try:
        await client.login(user.username, user.password)
        return user
    except NotLoggedIn:
        pass
    if await _is_logged_in_once_registered(client, user):
        return user
    user = await users.another(user)  # somebody has that name, with another password
    await client.register(user.username, user.password)
    await client.login(user.username, user.password)
    return user


async def _is_logged_in_once_registered(client: Client, user: DemoUser) -> bool:
    """Another command may register the same user meanwhile; ``False``: the name belongs to somebody else."""
    was_taken = False
    try:
        await client.register(user.username, user.password)
    except Conflict:
        was_taken = True
    try:
        await client.login(user.username, user.password)
    except NotLoggedIn:
        if was_taken:
            return False
        raise
    return True


def _new() -> DemoUser:
    return DemoUser(f"demo_{secrets.token_hex(3)}", secrets.token_urlsafe(18))


def _of_an_earlier_release() -> DemoUser | None:
    """Return the user of ``OLD_FILE`` if this user owns the file: another owner could read the messages."""
    with suppress(OSError, ValueError):
        is_ours = not hasattr(os, "getuid") or OLD_FILE.stat().st_uid == os.getuid()
        if is_ours:
            return _user_of(json.loads(OLD_FILE.read_text()))
    return None


def _user_of(found: Any) -> DemoUser | None:
    if not isinstance(found, Mapping):
        return None
    username, password = found.get("username"), found.get("password")
    return DemoUser(username, password) if isinstance(username, str) and isinstance(password, str) else None
