"""Threads for long work with low priority: hashing, reading and writing files."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

_NICENESS = 10  # of 19; each step is a tenth less of the processor when others want it, too


def bulk_threads(count: int, name: str) -> ThreadPoolExecutor:
    """Return a pool of ``count`` threads with a lower priority than the event loop, where the system allows it.

    On Linux each thread has its own niceness. Elsewhere niceness belongs to the process and stays unchanged.
    """
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # somebody allows it no more
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # 0: the thread that calls
