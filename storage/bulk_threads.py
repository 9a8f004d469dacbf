"""Threads for what is much and may wait a little: hashing, reading and writing files."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

_NICENESS = 10  # of 19; each step is a tenth less of the processor when others want it, too


def bulk_threads(count: int, name: str) -> ThreadPoolExecutor:
    """Return ``count`` threads which leave the processor to others, above all to the event loop, where they can.

    On Linux a thread has a niceness of its own; elsewhere it is the process's, and stays as it is.
    """
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # somebody allows it no more
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # 0: the thread that calls
