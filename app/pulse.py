"""Ends a process with a hung event loop, or whose shutdown does not finish.

The event loop cannot report either case, and Python cannot report a thread that holds the interpreter's lock. So the
last resort is a timer of ``faulthandler``, a thread in C: it writes all stacks and ends the process. A thread in
Python resets the timer for as long as every loop answers.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger(__name__)

HUNG_SECONDS = 15.0
STOP_SECONDS = 15.0  # shorter than a supervisor's patience, so that the stacks are in the log
LOOK_SECONDS = 1.0


def end_after(seconds: float) -> None:
    """Write all stacks to stderr and end with exit code 1, unless this is called again before the time is over."""
    # sys.stderr may be a stand-in of Faust's, without a descriptor
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)


class _Loop:
    """An event loop, and whether it has answered since the last look."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self._loop = loop
        self.answered = threading.Event()

    def ask(self) -> None:
        self.answered.clear()
        with suppress(RuntimeError):  # closed: it will never answer
            self._loop.call_soon_threadsafe(self.answered.set)


class Pulse:
    """Watches event loops. ``end_after`` is called at every look if all of them have answered.

    A suspended process is ended when it wakes up, as by ``app/faust/session_fence.py``: its partitions are gone.
    """

    def __init__(
        self,
        *,
        hung_seconds: float = HUNG_SECONDS,
        look_seconds: float = LOOK_SECONDS,
        end_after: Callable[[float], None] = end_after,
    ) -> None:
        self._hung_seconds = hung_seconds
        self._look_seconds = look_seconds
        self._end_after = end_after
        self._loops: list[_Loop] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        """Watch one more loop from now on."""
        watched = _Loop(name, loop)
        watched.ask()
        with self._lock:
            self._loops.append(watched)
        if self._thread is None:
            self._end_after(self._hung_seconds)
            self._thread = threading.Thread(target=self._look, name="pulse", daemon=True)
            self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """The process is to end now: give it ``seconds``. Later calls change nothing."""
        with self._lock:
            if not self._over.is_set():
                self._over.set()
                self._end_after(seconds)

    def _look(self) -> None:
        silent_looks = 0
        while not self._over.wait(self._look_seconds):
            with self._lock:
                silent = [loop.name for loop in self._loops if not loop.answered.is_set()]
                if self._over.is_set():
                    return
                if not silent:
                    silent_looks = 0
                    self._end_after(self._hung_seconds)
                    for loop in self._loops:
                        loop.ask()
                    continue
            silent_looks += 1
            if silent_looks * self._look_seconds >= self._hung_seconds / 2:
                log.critical("the event loop of %s does not turn: this process will be ended", " and ".join(silent))
