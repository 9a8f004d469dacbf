"""Multipart uploads in a folder, shared by several processes. All functions here block.

An upload is two files:

    <upload>.data      each part at its place, (number - 1) * part_bytes; finishing renames it to the object
    <upload>.journal   key <key>
                       claim <number> <etag>          a process writes, or has written, this part's place
                       done <number> <etag> <bytes>   the bytes of the claim are durable

A part exists only if its last claim is done. So a half-replaced part of a killed process does not exist, nor does the
mixture of two concurrent writers.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from domain.errors import FileStoreUnavailable, NotFound
from domain.file_parts import check_parts
from domain.files import PART_BYTES, checked_key
from domain.ports import Part, StoredObject
from storage.local_disk import delete_if_old, make_folder, names_in, sync_data, sync_folder, write_all

_UPLOAD = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}", re.ASCII)
_CLAIM = re.compile(r"claim ([0-9]+) ([0-9a-f]{16})", re.ASCII)
_DONE = re.compile(r"done ([0-9]+) ([0-9a-f]{16}) ([0-9]+)", re.ASCII)
_LOOK_SECONDS = 0.002


class LocalUploads:
    """The uploads in ``folder``. ``timeout_seconds`` bounds the wait for another process's write of a part."""

    def __init__(self, folder: Path, timeout_seconds: float, part_bytes: int = PART_BYTES) -> None:
        self._part_bytes = part_bytes
        self._folder = folder
        self._timeout_seconds = timeout_seconds

    def begin(self, key: str) -> str:
        """Begin an upload; it is there after a loss of power."""
        upload = f"{_name(key)}-{secrets.token_hex(8)}"
        make_folder(self._folder)
        # the journal first: one without data is a beginning or an end that was cut short, and there is nothing to lose
        for path, content in ((self._journal(upload), f"key {key}\n"), (self._data(upload), "")):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, content.encode(), 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(self._folder)
        return upload

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Store a part. Raises ``NotFound``."""
        part = Part(number, len(data), secrets.token_hex(8))
        with self._opened(self._data(upload, key)) as file, self._opened(self._journal(upload, key)) as journal:
            with self._locked(file, self._data(upload)):
                was_there = number in _parts_of(journal)
                _append(journal, f"claim {number} {part.etag}")
                if was_there:  # or a loss of power could leave the old claim with some of the new bytes
                    sync_data(journal)
                write_all(file, data, (number - 1) * self._part_bytes)
            sync_data(file)  # not under the lock: the other parts of this upload need not wait for it
            _append(journal, f"done {number} {part.etag} {part.size_bytes}")
            sync_data(journal)
        return part

    def parts(self, key: str, upload: str) -> Sequence[Part]:
        """Return the stored parts, by number. Raises ``NotFound``."""
        with self._opened(self._data(upload, key)), self._opened(self._journal(upload, key)) as journal:
            return [part for _, part in sorted(_parts_of(journal).items())]

    def finish(self, key: str, upload: str, parts: Sequence[Part], target: Path) -> None:
        """Make ``parts`` the file at ``target``. Raises ``NotFound``, and ``Conflict`` if they do not make one."""
        with self._opened(self._data(upload, key)) as file, self._opened(self._journal(upload, key)) as journal:
            # The lock keeps other processes from writing into the whole object; a later owner finds the file moved.
            with self._locked(file, self._data(upload)):
                there = _parts_of(journal)
                check_parts(parts, there, self._part_bytes)
                dropped = [number for number in there if number > len(parts)]
                if dropped:
                    _append(journal, *(f"claim {number} {secrets.token_hex(8)}" for number in dropped))
                    sync_data(journal)
                os.ftruncate(file, sum(part.size_bytes for part in parts))
                os.fsync(file)
                os.replace(self._data(upload), target)
                sync_folder(target.parent)
            with suppress(FileNotFoundError):
                self._journal(upload).unlink()
            sync_folder(self._folder)

    def discard(self, key: str) -> None:
        """Delete all uploads of ``key``."""
        start = f"{_name(key)}-"
        found = [name for name in names_in(self._folder) if name.startswith(start)]
        for name in sorted(found):  # the data before the journal, which says whose they are
            with suppress(FileNotFoundError):
                (self._folder / name).unlink()
        if found:
            sync_folder(self._folder)

    def all(self) -> Iterator[StoredObject]:
        """Yield the unfinished uploads. Deletes journals without data."""
        for name in names_in(self._folder):
            path = self._folder / name
            if path.suffix != ".journal":
                continue
            with suppress(FileNotFoundError):
                modified_at_ms = path.stat().st_mtime_ns // 1_000_000
                with path.open() as journal:
                    word, _, key = journal.readline(2048).rstrip("\n").partition(" ")
                if not path.with_suffix(".data").exists():
                    delete_if_old(path)
                elif word == "key":
                    yield StoredObject(key, 0, modified_at_ms, is_whole=False)

    def _data(self, upload: str, key: str | None = None) -> Path:
        return self._folder / f"{_checked(upload, key)}.data"

    def _journal(self, upload: str, key: str | None = None) -> Path:
        return self._folder / f"{_checked(upload, key)}.journal"

    @contextmanager
    def _opened(self, path: Path) -> Iterator[int]:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND * (path.suffix == ".journal") | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound("this upload is gone") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self, file: int, path: Path) -> Iterator[None]:
        """Lock this file against all other threads and processes. Raises ``NotFound`` if it moved."""
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise FileStoreUnavailable("another process does not let go of this upload") from None
                time.sleep(_LOOK_SECONDS)
        try:
            if not path.exists() or not os.path.samestat(os.fstat(file), path.stat()):
                raise NotFound("this upload is gone")
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _name(key: str) -> str:
    return sha256(checked_key(key).encode()).hexdigest()[:32]


def _checked(upload: str, key: str | None) -> str:
    start = "" if key is None else _name(key)
    if not upload.startswith(start) or not _UPLOAD.fullmatch(upload):
        raise NotFound("this upload is gone")
    return upload


def _append(journal: int, *lines: str) -> None:
    # begins with a line feed too, so that the rest of a line torn by a loss of power stays apart
    text = "".join(f"\n{line}\n" for line in lines).encode()
    if os.write(journal, text) != len(text):  # the disk is full; readers ignore an incomplete line
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _parts_of(journal: int) -> dict[int, Part]:
    size = os.fstat(journal).st_size
    text = os.pread(journal, size, 0).decode("ascii", errors="replace")
    claims: dict[int, str] = {}
    there: dict[int, Part] = {}
    for line in text.splitlines():
        if claim := _CLAIM.fullmatch(line):
            number = int(claim[1])
            claims[number] = claim[2]
            there.pop(number, None)
        elif (done := _DONE.fullmatch(line)) and claims.get(int(done[1])) == done[2]:
            number = int(done[1])
            there[number] = Part(number, int(done[3]), done[2])
    return there
