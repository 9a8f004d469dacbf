"""A small JSON file, readable by this user only and safe for concurrent commands."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from chat4all.cli.errors import CannotKeepSessions
from chat4all.descriptors import CAN_LOCK, lock

LOCK_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class PrivateFile:
    """One JSON object. ``remedy``: advice for an unreadable file."""

    def __init__(self, path: Path, remedy: str) -> None:
        self._path = path
        self._remedy = remedy

    def read(self) -> dict[str, Any]:
        """Return the content, empty if there is no file. Raises ``CannotKeepSessions``."""
        try:
            return dict(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CannotKeepSessions(f"{self._path} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError) as error:
            raise CannotKeepSessions(f"{self._path} cannot be read ({error}); {self._remedy}") from None

    def write(self, content: dict[str, Any]) -> None:
        """Replace the content; on an error the file stays as it was. The lock must be held.

        Raises ``CannotKeepSessions`` if the disk is full, the folder is read-only, and the like.
        """
        draft = self._path.with_suffix(".new")
        try:
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as writer:
                json.dump(content, writer, indent=1)
            draft.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise self._cannot_write(error) from error

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Keep other commands, and other tasks, from changing the file. Raises ``CannotKeepSessions``."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            await self._take(descriptor)
            yield
        finally:
            os.close(descriptor)  # which lets go

    def _cannot_write(self, error: OSError) -> CannotKeepSessions:
        return CannotKeepSessions(f"{self._path} cannot be written: {error.strerror}")

    async def _take(self, descriptor: int) -> None:
        for _ in range(round(LOCK_SECONDS / _LOOK_SECONDS)):
            try:
                if CAN_LOCK:
                    lock(descriptor)
                return
            except BlockingIOError:
                await asyncio.sleep(_LOOK_SECONDS)
            except OSError as error:  # some file systems have no locks
                raise self._cannot_write(error) from error
        raise CannotKeepSessions(f"another chat4all command has been changing {self._path} for {LOCK_SECONDS:g} s")
