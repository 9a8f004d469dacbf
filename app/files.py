"""The store of files that the settings choose: for the API, for workers that deliver files, for ``chat4all files``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.secret_file import secret_of
from app.settings import InvalidSetting, Settings
from domain.files import MAX_STORED_BYTES
from domain.ports import FileStore
from domain.signed_links import link_key
from storage.local_files import LocalFileStore

if TYPE_CHECKING:
    from storage.s3_config import S3Config

_LARGEST_COPY_BYTES = 5 * 1024**3  # what S3 copies in one request: ``FileStore.move``


def open_file_store(settings: Settings) -> FileStore:
    """Return the store; close it at the end. Nothing is asked of it yet.

    Raises ``InvalidSetting``, and ``app.secret_file.UnusableSecret`` where the links of a folder cannot be signed.
    """
    largest_bytes = MAX_STORED_BYTES if settings.files == "local" else _LARGEST_COPY_BYTES
    if not 1 <= settings.files_max_bytes <= largest_bytes:
        raise InvalidSetting(f"CHAT4ALL_FILES_MAX_BYTES={settings.files_max_bytes}: expected 1 to {largest_bytes}")
    if settings.files == "local":
        return LocalFileStore(
            Path(settings.files_dir),
            link_key=link_key(secret_of(settings.jwt_secret)),
            public_url=settings.public_url,
            timeout_seconds=settings.files_timeout_seconds,
        )
    if settings.files == "s3":
        from storage.s3 import S3FileStore  # with its client, which takes 0.3 s to import: not without an S3

        return S3FileStore(s3_config(settings))
    raise InvalidSetting(f"CHAT4ALL_FILES={settings.files!r}: expected 'local' or 's3'")


def s3_config(settings: Settings) -> S3Config:
    """Return the S3 configuration of the settings. Raises ``InvalidSetting``."""
    from storage.s3_config import LONGEST_LINK_SECONDS, S3Config

    for name in ("files_link_seconds", "files_channel_link_seconds"):
        seconds = getattr(settings, name)
        if not 1 <= seconds <= LONGEST_LINK_SECONDS:
            raise InvalidSetting(f"CHAT4ALL_{name.upper()}={seconds}: with an S3, expected 1 to {LONGEST_LINK_SECONDS}")
    try:
        return S3Config(
            url=settings.s3_url,
            public_url=settings.s3_public_url,
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
            timeout_seconds=settings.files_timeout_seconds,
        )
    except ValueError as error:
        raise InvalidSetting(f"CHAT4ALL_S3_…: {error}") from None
