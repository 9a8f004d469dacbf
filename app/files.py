"""The store of files that the settings choose: for the API, for workers that deliver files, for ``chat4all files``."""

from __future__ import annotations

from pathlib import Path

from app.secret_file import secret_of
from app.settings import InvalidSetting, Settings
from domain.ports import FileStore
from domain.signed_links import link_key
from storage.local_files import LocalFileStore

LOCAL, S3 = "local", "s3"


def open_file_store(settings: Settings) -> FileStore:
    """Return the store of ``CHAT4ALL_FILES``; nothing is asked of it yet. Raises ``InvalidSetting``."""
    if settings.files == LOCAL:
        return LocalFileStore(
            Path(settings.files_dir),
            link_key=link_key(secret_of(settings.jwt_secret)),
            public_url=settings.public_url,
            timeout_seconds=settings.files_timeout_seconds,
        )
    raise InvalidSetting(f"CHAT4ALL_FILES={settings.files!r}: expected {LOCAL!r} or {S3!r}")
