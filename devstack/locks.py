"""A lock between processes (and threads), released by the system if its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_RETRY_SECONDS = 0.1


@contextlib.contextmanager
def held(file: Path, timeout_seconds: float, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Hold `file` exclusively. Raises TimeoutError when another holder keeps it for too long."""
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_seconds
    with file.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{file} is held by another process") from None
            pause(_RETRY_SECONDS)
        yield
