"""Who is logged in where: a file in the user's configuration folder that only this user may read.

~/.config/chat4all/sessions.json
{"http://127.0.0.1:8080": {"current": "ana",
                           "accounts": {"ana": {"access_token": "…", "refresh_token": "…", "user_id": "0193…"}}}}
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cli.client.tokens import Tokens
from cli.errors import CannotKeepSessions

LOCK_SECONDS = 30.0
_LOOK_SECONDS = 0.05


def default_file() -> Path:
    """Return where the sessions are kept; ``XDG_CONFIG_HOME`` is honoured."""
    return Path(click.get_app_dir("chat4all")) / "sessions.json"


class SavedSessions:
    """The sessions at one API. Several commands may use the file at once."""

    def __init__(self, url: str, file: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._file = file or default_file()

    @property
    def current(self) -> str:
        """The username of who logged in last; empty: nobody is logged in."""
        return str(self._here().get("current") or "")

    def keeper(self, username: str) -> SavedSession:
        """Return the session of a user, which need not be there yet."""
        return SavedSession(self, username)

    def load(self, username: str) -> Tokens:
        """Return the user's tokens, empty ones if there is no session."""
        return Tokens(**self._here().get("accounts", {}).get(username, {}))

    def save(self, username: str, tokens: Tokens) -> None:
        """Keep the user's tokens; forget the user if they are empty. The lock must be held."""
        all_ = self._read()
        here = all_.setdefault(self.url, {"current": "", "accounts": {}})
        if tokens.access_token:
            here["accounts"][username] = asdict(tokens)
        else:
            here["accounts"].pop(username, None)
            if here["current"] == username:
                here["current"] = next(reversed(here["accounts"]), "")
        self._write(all_)

    def use(self, username: str) -> None:
        """Let the user be the one whom commands act for. The lock must be held."""
        all_ = self._read()
        all_[self.url]["current"] = username
        self._write(all_)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Keep other commands, and other tasks, from changing the file."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await self._take(descriptor)
            yield
        finally:
            os.close(descriptor)  # which lets go

    async def _take(self, descriptor: int) -> None:
        for _ in range(round(LOCK_SECONDS / _LOOK_SECONDS)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                await asyncio.sleep(_LOOK_SECONDS)
        raise CannotKeepSessions(f"another chat4all command has been changing {self._file} for {LOCK_SECONDS:g} s")

    def _here(self) -> dict[str, Any]:
        return dict(self._read().get(self.url, {}))

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            raise CannotKeepSessions(f"{self._file} cannot be read ({error}); delete it and log in again") from None

    def _write(self, sessions: dict[str, Any]) -> None:
        draft = self._file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as writer:
            json.dump(sessions, writer, indent=1)
        draft.replace(self._file)


class SavedSession:
    """One user's session; a ``Keeper``."""

    def __init__(self, sessions: SavedSessions, username: str) -> None:
        self._sessions = sessions
        self._username = username

    def load(self) -> Tokens:
        return self._sessions.load(self._username)

    def save(self, tokens: Tokens) -> None:
        self._sessions.save(self._username, tokens)

    def lock(self) -> AbstractAsyncContextManager[Any]:
        return self._sessions.lock()
