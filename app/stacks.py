"""On SIGUSR1 a process writes the stacks of its threads and tasks to stderr, its log."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO

MOST_TASKS = 500


def dump_on_signal() -> None:
    """Answer ``SIGUSR1`` from now on. Call it on the event loop of the main thread.

    The stacks of threads are written even if that event loop hangs; the stacks of tasks need the loop.
    """
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _write_tasks)
    faulthandler.register(signal.SIGUSR1, file=_stderr(), all_threads=True, chain=True)


def _write_tasks() -> None:
    _stderr().write(tasks_text())
    _stderr().flush()


def _stderr() -> TextIO:
    """Return the real one: Faust puts a file without a descriptor in place of ``sys.stderr``."""
    assert sys.__stderr__ is not None
    return sys.__stderr__


def tasks_text() -> str:
    """Return where the tasks of all event loops of this process wait, for at most ``MOST_TASKS`` of them."""
    lines: list[str] = []
    for task in _all_tasks()[:MOST_TASKS]:
        lines.append(f"Task {task.get_name()}:\n")
        for frame in _frames(task.get_coro()):
            lines += traceback.format_list(traceback.extract_stack(frame, limit=1))
    return "".join(lines)


def _all_tasks() -> list[asyncio.Task[Any]]:
    known: Any = asyncio.tasks._all_tasks  # type: ignore[attr-defined]  # asyncio.all_tasks shows one loop's
    for _ in range(5):
        try:
            return [task for task in list(known) if not task.done()]
        except RuntimeError:  # another thread has begun a task meanwhile
            continue
    return []


def _frames(awaited: Any) -> Iterator[FrameType]:
    """Yield the frames from a task's coroutine down to its innermost await."""
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            if (frame := getattr(awaited, f"{kind}_frame", None)) is not None:
                yield frame
                awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)
                break
        else:
            return
