"""What uploads and downloads have in common: steps to be told of, and threads for what a disk does."""

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
    """What a transfer is busy with."""

    CHECKING = "checking"
    UPLOADING = "uploading"
    DOWNLOADING = "downloading"


# called with the step, how many bytes of it are done (which may fall when it has to go back), and of how many
OnProgress = Callable[[Step, int, int], None]


def quietly(step: Step, done_bytes: int, total_bytes: int) -> None:
    """Tell nobody."""


class DiskThread:
    """A thread in which one file is read or written, one call after the other.

    It is closed in its turn, so what is still under way when a task is cancelled ends first: nobody writes to a
    descriptor that belongs to another file by then.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="transfer")

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``call`` returns. A fault of the disk is raised as ``LocalFault``."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, partial(call, *args, **kwargs))
        except BrokenPipeError as error:
            raise OutputClosed("nobody reads the output any more") from error
        except OSError as error:
            raise local_fault(error) from error

    async def close(self, last: Callable[[], object]) -> None:
        """Do this after all else, whoever gives up waiting for it, and end."""
        done = asyncio.wrap_future(self._executor.submit(last))
        self._executor.shutdown(wait=False)
        await asyncio.shield(done)


def local_fault(error: OSError, name: str | os.PathLike[str] = "") -> LocalFault:
    """Return the exception for a fault of the disk."""
    return LocalFault(f"{name or error.filename or 'the file'}: {error.strerror or error}")
