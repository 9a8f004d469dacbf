"""Unfinished uploads: a file beside that of the sessions, readable by this user only.

~/.config/chat4all/uploads.json
{"uploads": [{"url": "http://127.0.0.1:8080", "username": "ana", "path": "…/holiday.mp4",
              "conversation_id": "family", "upload_id": "0193…", "checksum": "sha256:…",
              "fingerprint": {"size_bytes": 1073741824, "modified_ns": 1763848800123456789, "inode": 4711},
              "expires_at": 1763935200.0}]}
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import time
from typing import Any

from chat4all.cli.private_file import PrivateFile
from chat4all.cli.saved_sessions import default_file
from chat4all.source import Fingerprint
from chat4all.uploads import Begun

# In place of a conversation's id: the entry holds the id of the conversation that was made for the file, where others
# hold that of the upload.
_OWN = ""
_OWN_SECONDS = 24 * 3_600.0  # as long as the API keeps an unfinished upload

MOST = 100  # of them all; the one that expires first is forgotten for a further one


class SavedUploads:
    """The unfinished uploads of one user at one API; an ``UploadStore``. Expired ones are ignored."""

    def __init__(self, url: str, username: str, file: Path | None = None, clock: Callable[[], float] = time) -> None:
        self._owner = {"url": url.rstrip("/"), "username": username}
        self._file = PrivateFile(file or default_file().with_name("uploads.json"), "delete it; uploads begin anew")
        self._clock = clock

    async def recall(self, path: Path, conversation_id: str) -> Begun | None:
        """Return the unfinished upload, or ``None``."""
        key = self._key(path, conversation_id)
        for one in self._all():
            if _is(one, key):
                return Begun(one["upload_id"], one["checksum"], Fingerprint(**one["fingerprint"]), one["expires_at"])
        return None

    async def remember(self, path: Path, conversation_id: str, begun: Begun) -> None:
        """Keep the upload in place of an earlier one of this path."""
        key = self._key(path, conversation_id)
        async with self._file.lock():
            others = [one for one in self._all() if not _is(one, key)]
            latest = sorted(others, key=lambda one: float(one["expires_at"]))[-(MOST - 1) :]
            self._file.write({"uploads": [*latest, {**key, **asdict(begun)}]})

    async def forget(self, path: Path, conversation_id: str) -> None:
        """There is nothing to go on with any more."""
        key = self._key(path, conversation_id)
        async with self._file.lock():
            self._file.write({"uploads": [one for one in self._all() if not _is(one, key)]})

    async def own_conversation(self, path: Path, fingerprint: Fingerprint) -> str | None:
        """Return the id of the conversation created for this unfinished upload, or ``None``."""
        found = await self.recall(path, _OWN)
        return found.upload_id if found is not None and found.fingerprint == fingerprint else None

    async def remember_own_conversation(self, path: Path, fingerprint: Fingerprint, conversation_id: str) -> None:
        """Keep the id until the upload into that conversation is of no further use."""
        begun = Begun(conversation_id, "", fingerprint, self._clock() + _OWN_SECONDS)
        await self.remember(path, _OWN, begun)

    async def forget_own_conversation(self, path: Path) -> None:
        """The next upload of this path is in another conversation."""
        await self.forget(path, _OWN)

    def _all(self) -> list[dict[str, Any]]:
        now = self._clock()
        return [one for one in self._file.read().get("uploads", []) if one["expires_at"] > now]

    def _key(self, path: Path, conversation_id: str) -> dict[str, str]:
        # names that are no UTF-8 become question marks: two of them are told apart by their fingerprints
        name = os.fsencode(os.path.abspath(path)).decode(errors="replace")
        return {**self._owner, "path": name, "conversation_id": conversation_id}


def _is(one: dict[str, Any], key: dict[str, str]) -> bool:
    return all(one.get(name) == value for name, value in key.items())
