"""Sessions by API and user: a file in the user's configuration folder, readable by this user only.

~/.config/chat4all/sessions.json
{"http://127.0.0.1:8080": {"current": "ana",
                           "accounts": {"ana": {"access_token": "…", "refresh_token": "…", "user_id": "0193…"}}}}
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from chat4all.cli.private_file import PrivateFile
from chat4all.tokens import Tokens


def default_file() -> Path:
    """Return where the sessions are kept; ``XDG_CONFIG_HOME`` is honoured."""
    return Path(click.get_app_dir("chat4all")) / "sessions.json"


class SavedSessions:
    """The sessions at one API. Several commands may use the file at once."""

    def __init__(self, url: str, file: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._file = PrivateFile(file or default_file(), "delete it and log in again")

    @property
    def current(self) -> str:
        """The username of the latest login; empty: no session."""
        return str(self._here().get("current") or "")

    def token_store(self, username: str) -> SavedSession:
        """Return the session of a user; it may be empty."""
        return SavedSession(self, username)

    def load(self, username: str) -> Tokens:
        """Return the user's tokens, empty ones if there is no session."""
        return Tokens(**self._here().get("accounts", {}).get(username, {}))

    def save(self, username: str, tokens: Tokens) -> None:
        """Keep the user's tokens; forget the user if they are empty. The lock must be held."""
        all_ = self._file.read()
        here = all_.setdefault(self.url, {"current": "", "accounts": {}})
        if tokens.access_token:
            here["accounts"][username] = asdict(tokens)
        else:
            here["accounts"].pop(username, None)
            if here["current"] == username:
                here["current"] = next(reversed(here["accounts"]), "")
        self._file.write(all_)

    def use(self, username: str) -> None:
        """Make the user the default account of later commands. The lock must be held."""
        all_ = self._file.read()
        all_[self.url]["current"] = username
        self._file.write(all_)

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Keep other commands, and other tasks, from changing the file."""
        return self._file.lock()

    def _here(self) -> dict[str, Any]:
        return dict(self._file.read().get(self.url, {}))


class SavedSession:
    """One user's session; a ``TokenStore``."""

    def __init__(self, sessions: SavedSessions, username: str) -> None:
        self._sessions = sessions
        self._username = username

    def load(self) -> Tokens:
        return self._sessions.load(self._username)

    def save(self, tokens: Tokens) -> None:
        self._sessions.save(self._username, tokens)

    def lock(self) -> AbstractAsyncContextManager[Any]:
        return self._sessions.lock()
