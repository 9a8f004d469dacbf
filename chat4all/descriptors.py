"""Portable file descriptors. Features missing on a system are left out.

Windows has no ``fcntl``, no ``os.pread`` and no flag against links, so they are looked up here when they are needed.
"""

from __future__ import annotations

import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CAN_LOCK = fcntl is not None
_ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def open_to_read(path: str | os.PathLike[str]) -> int:
    """Open without waiting for the other end of a pipe. Raises ``OSError``."""
    return os.open(path, os.O_RDONLY | _ALWAYS)


def open_to_change(path: str | os.PathLike[str]) -> int:
    """Open a file for reading and writing, or create it; never through a symbolic link. Raises ``OSError``."""
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | _ALWAYS, 0o666)


def lock(descriptor: int) -> None:
    """Lock the file, or raise ``BlockingIOError`` if another process has it. Closing the descriptor unlocks it."""
    assert fcntl is not None, "the caller looks at CAN_LOCK"
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Return at most ``length`` bytes from ``offset`` on. One thread at a time: it moves the file's position."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def write_at(descriptor: int, content: memoryview, offset: int) -> int:
    """Write at ``offset``; return how many bytes were written. One thread at a time: it moves the file's position."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, content)
