"""Whole files in a folder: they appear by a rename, and stay after a loss of power. Everything here blocks."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from domain.errors import NotFound
from domain.files import checked_key
from domain.ports import StoredObject

sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has only the other
_DRAFT = ".draft"
_LEFT_BEHIND_SECONDS = 3600.0  # a draft of this age has no writer


class OpenFile:
    """A file to read from; closed with its last reference, so never during a read by a thread."""

    def __init__(self, path: Path) -> None:
        """Raises ``NotFound``."""
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound("this object is gone") from None
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotFound("this object is gone")
        self.size_bytes = status.st_size

    def read(self, start: int, length: int) -> bytes:
        """Return ``length`` bytes from ``start`` on, fewer at the end of the file."""
        return os.pread(self._descriptor, length, start)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class Objects:
    """The objects below ``folder``, at their keys. Drafts of them are in ``drafts``, on the same file system."""

    def __init__(self, folder: Path, drafts: Path) -> None:
        self._folder = folder
        self._drafts = drafts

    def path(self, key: str) -> Path:
        """Return the object's path. Raises ``InvalidInput`` for a key outside the folder."""
        return self._folder / checked_key(key)

    def new_path(self, key: str) -> Path:
        """Return the path for a new object; its folder is made."""
        path = self.path(key)
        make_folder(path.parent)
        return path

    def put(self, key: str, data: bytes) -> None:
        """Store an object; replace an existing one atomically."""
        target = self.new_path(key)
        make_folder(self._drafts)
        draft = self._drafts / f"{secrets.token_hex(16)}{_DRAFT}"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, data, 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(draft, target)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        sync_folder(target.parent)

    def size(self, key: str) -> int | None:
        """Return the size in bytes, ``None`` if there is none."""
        try:
            status = self.path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def open(self, key: str) -> OpenFile:
        """Raises ``NotFound``."""
        return OpenFile(self.path(key))

    def move(self, source: str, target: str) -> None:
        """Rename. Raises ``NotFound`` if there is neither."""
        origin, destination = self.path(source), self.new_path(target)
        try:
            os.replace(origin, destination)
        except FileNotFoundError:
            if self.size(target) is None:
                raise NotFound("this object is gone") from None
            return
        _drop_other_link(origin, destination)
        sync_folder(destination.parent)
        sync_folder(origin.parent)

    def copy(self, source: str, target: str) -> None:
        """Make a hard link, or copy the bytes; an existing target is replaced. Raises ``NotFound`` without a source."""
        self.open(source)
        origin, destination = self.path(source), self.new_path(target)
        try:
            os.link(origin, destination)
        except FileExistsError:
            if not destination.samefile(origin):
                self._copy_bytes(origin, destination)
        except FileNotFoundError:
            raise NotFound("this object is gone") from None
        except OSError:  # a file system without hard links, or too many of them
            self._copy_bytes(origin, destination)
        sync_folder(destination.parent)

    def _copy_bytes(self, origin: Path, destination: Path) -> None:
        make_folder(self._drafts)
        draft = self._drafts / f"{secrets.token_hex(16)}{_DRAFT}"
        try:
            shutil.copyfile(origin, draft)
            with draft.open("rb") as copied:
                os.fsync(copied.fileno())
            os.replace(draft, destination)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise

    def discard(self, key: str) -> None:
        """Delete the object if it is there."""
        path = self.path(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            sync_folder(path.parent)

    def all(self) -> Iterator[StoredObject]:
        """Yield every object. Objects added or deleted meanwhile may be missing."""
        for folder, _, names in os.walk(self._folder, onerror=_unless_gone):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    status = path.stat()
                    key = path.relative_to(self._folder).as_posix()
                    yield StoredObject(key, status.st_size, status.st_mtime_ns // 1_000_000)

    def try_to_write(self) -> None:
        """Raises ``OSError`` if nothing can be written."""
        make_folder(self._drafts)
        draft = self._drafts / f"{secrets.token_hex(16)}{_DRAFT}"
        draft.write_bytes(b"ping")
        draft.unlink()

    def tidy(self) -> None:
        """Delete the drafts of killed processes."""
        for name in names_in(self._drafts):
            if name.endswith(_DRAFT):
                delete_if_old(self._drafts / name)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def names_in(folder: Path) -> list[str]:
    """Return the names in the folder; none if the folder does not exist. (``glob`` hides errors.)"""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def delete_if_old(path: Path) -> None:
    """Delete the file if its last write is older than ``_LEFT_BEHIND_SECONDS``."""
    with suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > _LEFT_BEHIND_SECONDS:
            path.unlink()


def make_folder(folder: Path) -> None:
    """Create the folder (mode 0700) and its parents; all survive a loss of power."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Return when the folder's entries survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` at ``offset``."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _drop_other_link(origin: Path, destination: Path) -> None:
    """Finish a rename between two links of one file: POSIX ``rename`` succeeds then without doing anything."""
    with suppress(FileNotFoundError):
        if origin != destination and origin.samefile(destination):
            origin.unlink()
