"""Shared by uploads and downloads: progress steps, and a thread for disk access."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import ParamSpec, TypeVar

from chat4all.errors import LocalFault, OutputClosed

P = ParamSpec("P")
R = TypeVar("R")

CHUNK_BYTES = 1 << 20
HASHED_AT_ONCE_BYTES = 8 << 20


class Step(StrEnum):
    """The current step of a transfer."""

    CHECKING = "checking"
    UPLOADING = "uploading"
    DOWNLOADING = "downloading"


# called with the step, how many bytes of it are done (which may fall when it has to go back), and of how many
OnProgress = Callable[[Step, int, int], None]


def quietly(step: Step, done_bytes: int, total_bytes: int) -> None:
    """Tell nobody."""


class DiskThread:
    """A thread for the reads and writes of one file, one call after the other.

    It is closed in its turn, so what is still under way when a task is cancelled ends first: nobody writes to a
    descriptor that belongs to another file by then.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="transfer")

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``call`` in the thread and return its result. Raises ``LocalFault`` for an error of the disk."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, partial(call, *args, **kwargs))
        except BrokenPipeError as error:
            raise OutputClosed("nobody reads the output any more") from error
        except OSError as error:
            raise local_fault(error) from error

    async def close(self, last: Callable[[], object]) -> None:
        """Run ``last`` after all other calls, even if the caller is cancelled, and end the thread."""
        done = asyncio.wrap_future(self._executor.submit(last))
        self._executor.shutdown(wait=False)
        await asyncio.shield(done)


def local_fault(error: OSError, name: str | os.PathLike[str] = "") -> LocalFault:
    """Return the exception for a fault of the disk."""
    return LocalFault(f"{name or error.filename or 'the file'}: {error.strerror or error}")
