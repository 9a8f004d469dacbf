"""Where the bytes of a download go: a file beside its target until it is whole, or a stream."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from chat4all.descriptors import CAN_LOCK, lock, open_to_change, read_at, write_at
from chat4all.errors import LocalFault, TargetExists
from chat4all.transfers import CHUNK_BYTES, HASHED_AT_ONCE_BYTES, DiskThread, OnProgress, Step, local_fault

_SUFFIX = ".part"
_MAX_NAME_BYTES = 255  # of what file systems take


class Sink(Protocol):
    """``size_bytes``: so many are there. Raises ``LocalFault``."""

    size_bytes: int

    async def write(self, chunk: bytes) -> None: ...

    async def restart(self) -> bool:
        """Discard all bytes; return ``False`` if it is impossible."""
        ...

    def checksum(self) -> str: ...

    async def keep(self) -> None:
        """Move the verified file into place."""
        ...


class PartFile:
    """`<target>.part`: left by an interrupted download and resumed by the next one."""

    def __init__(self, path: Path, target: Path, descriptor: int, disk: DiskThread, *, overwrite: bool) -> None:
        self._path = path
        self._target = target
        self._descriptor = descriptor
        self._disk = disk
        self._overwrite = overwrite
        self._digest = sha256()
        self.size_bytes = 0

    async def read_again(self, size_bytes: int, on_progress: OnProgress) -> None:
        """Resume the bytes of an earlier download of a file of ``size_bytes``."""
        left = await self._disk.run(lambda: os.fstat(self._descriptor).st_size)
        if left > size_bytes:
            await self.restart()
            return
        while self.size_bytes < left:
            on_progress(Step.CHECKING, self.size_bytes, left)
            self.size_bytes += await self._disk.run(self._hash, min(HASHED_AT_ONCE_BYTES, left - self.size_bytes))

    async def write(self, chunk: bytes) -> None:
        await self._disk.run(self._write, chunk)

    async def restart(self) -> bool:
        await self._disk.run(os.ftruncate, self._descriptor, 0)
        self._digest, self.size_bytes = sha256(), 0
        return True

    def checksum(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"

    async def keep(self) -> None:
        await self._disk.run(self._keep)

    def _hash(self, length: int) -> int:
        start, end = self.size_bytes, self.size_bytes + length
        while start < end:
            chunk = read_at(self._descriptor, min(CHUNK_BYTES, end - start), start)
            if not chunk:
                raise LocalFault(f"{self._path} is being changed by somebody else")
            self._digest.update(chunk)
            start += len(chunk)
        return length

    def _write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            try:
                written = write_at(self._descriptor, view, self.size_bytes)
            except OSError as error:
                raise local_fault(error, self._path) from error
            self._digest.update(view[:written])
            self.size_bytes += written
            view = view[written:]

    def _keep(self) -> None:
        os.fsync(self._descriptor)
        try:
            if self._overwrite:
                self._path.replace(self._target)
            else:
                _rename_to_nothing(self._path, self._target)
        except FileExistsError:
            raise TargetExists(f"{self._target} has come to be meanwhile; what was fetched is {self._path}") from None
        except OSError as error:
            raise local_fault(error, self._target) from error
        with suppress(OSError):  # not every file system lets a folder be synced
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


class Stream:
    """Bytes for a stream such as a pipe, verified after they are written."""

    def __init__(self, writer: BinaryIO, disk: DiskThread) -> None:
        self._writer = writer
        self._disk = disk
        self._digest = sha256()
        self.size_bytes = 0

    async def write(self, chunk: bytes) -> None:
        await self._disk.run(self._write, chunk)

    async def restart(self) -> bool:
        return not self.size_bytes

    def checksum(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"

    async def keep(self) -> None:
        await self._disk.run(self._writer.flush)

    def _write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            try:
                written = self._writer.write(view) or 0  # a raw one need not take all of it
            except BrokenPipeError:
                raise
            except OSError as error:
                raise local_fault(error, "the output") from error
            self._digest.update(view[:written])
            self.size_bytes += written
            view = view[written:]


@asynccontextmanager
async def part_file(target: Path, size_bytes: int, *, overwrite: bool, on_progress: OnProgress) -> AsyncIterator[Sink]:
    """Open the part file of ``target`` (``size_bytes`` in all) with the bytes of an earlier download.

    Raises ``TargetExists``, and ``LocalFault`` if there is no room for it, or another download is writing there.
    """
    check_target(target, overwrite=overwrite)
    path = part_path(target)
    disk = DiskThread()
    descriptor = -1
    part: PartFile | None = None

    def close() -> None:
        if descriptor >= 0:
            with suppress(OSError):
                if not os.fstat(descriptor).st_size and os.path.samestat(os.stat(path), os.fstat(descriptor)):
                    path.unlink()  # nothing came; one of an empty file has its other name by now
            os.close(descriptor)

    try:
        descriptor = await disk.run(_open, path)
        part = PartFile(path, target, descriptor, disk, overwrite=overwrite)
        await part.read_again(size_bytes, on_progress)
        await disk.run(_check_room, target, size_bytes - part.size_bytes)
        yield part
    finally:
        await disk.close(close)


@asynccontextmanager
async def stream(writer: BinaryIO) -> AsyncIterator[Sink]:
    """Yield a sink over ``writer``."""
    disk = DiskThread()
    try:
        yield Stream(writer, disk)
    finally:
        await disk.close(lambda: None)


def part_path(target: Path) -> Path:
    """Return the path of the part file of ``target``; a long name is shortened."""
    name = os.fsencode(target.name)[: _MAX_NAME_BYTES - len(_SUFFIX)]
    return target.with_name(name.decode(errors="ignore") + _SUFFIX)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise ``TargetExists``, or ``LocalFault`` if it is a folder."""
    if target.is_dir():
        raise LocalFault(f"{target} is a folder")
    if not overwrite and os.path.lexists(target):
        raise TargetExists(f"{target} is there already")


def _open(path: Path) -> int:
    """Open or create the file, never through a symbolic link."""
    if not CAN_LOCK:
        raise LocalFault(f"{path}: this system has no file locks; download to a stream instead")
    try:
        descriptor = open_to_change(path)
    except OSError as error:
        raise local_fault(error, path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LocalFault(f"{path} is not a file")
        lock(descriptor)
        if not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            raise FileNotFoundError  # another download has just ended, and this is its target
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        raise LocalFault(f"another download is writing to {path}") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_room(target: Path, missing_bytes: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < missing_bytes:
        raise LocalFault(f"{target.parent}: {free} bytes are free, and {missing_bytes} are needed")


def _rename_to_nothing(source: Path, target: Path) -> None:
    """Rename, unless there is something at ``target``: a link is made in one step, or not at all."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        if os.path.lexists(target):  # a file system without links: two steps
            raise FileExistsError from None
        source.rename(target)
        return
    source.unlink()
