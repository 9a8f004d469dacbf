"""The store of files as a resource of a channel's worker: opened when a message brings the first file."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from mode import Service

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp
    from app.settings import Settings
    from domain.ports import FileStore

log = logging.getLogger(__name__)


class FilesOfWorker(Service):  # type: ignore[misc]
    """Opens the store at most once, and closes it with the worker."""

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        # a link in a message has no request whose host it could take
        self._settings = replace(settings, public_url=settings.public_url or f"http://{settings.host}:{settings.port}")
        self._is_guessed = not settings.public_url
        self._store: FileStore | None = None
        super().__init__(**kwargs)

    @classmethod
    def of(cls, app: StreamApp) -> Self:
        """Return the store of ``app``; it lives as long as the worker."""
        made = cls(app.settings)
        app.pre_start_services.append(made)
        return made

    def open(self) -> FileStore:
        """Return the store."""
        if self._store is None:
            from app.files import open_file_store  # with the clients of its stores: not for workers without files

            self._store = open_file_store(self._settings)
            log.info("opened the store of files (%s)", self._settings.files)
            if self._settings.files == "local" and self._is_guessed:
                guess = self._settings.public_url
                log.warning("links to files in messages begin with %s: set CHAT4ALL_PUBLIC_URL", guess)
        return self._store

    async def on_stop(self) -> None:
        if self._store is not None:
            await self._store.close()
