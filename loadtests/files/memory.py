"""How much memory a process has resident at most, over a stretch of work."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil

_LOOK_SECONDS = 0.02


class MemoryWatch:
    """``async``-free context manager. ``growth_mib``: peak growth of resident memory."""

    def __init__(self, pid: int) -> None:
        self._process = _last_child(psutil.Process(pid))
        self._stop = threading.Event()
        self._before = self._most = 0

    def __enter__(self) -> Self:
        self._before = self._most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth_mib(self) -> float:
        return (self._most - self._before) / 2**20

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self._most = max(self._most, self._process.memory_info().rss)


def _last_child(process: psutil.Process) -> psutil.Process:
    """A started process may be ``cli/die_with_parent.py``, with the real one as its child."""
    children = process.children()
    return _last_child(children[-1]) if children else process
