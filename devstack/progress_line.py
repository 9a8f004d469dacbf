"""Shows progress: one line that changes on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TextIO

from devstack.progress import Progress

_REDRAW_SECONDS = 0.25
_PLAIN_LINE_EVERY_SECONDS = 10.0


class ProgressLine:
    """`show` takes the steps; as a context manager it keeps the seconds running and cleans up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._began = time.monotonic()
        self._steps: dict[str, Progress] = {}
        self._last_plain: dict[str, tuple[str, float]] = {}
        self._width = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._redrawer = threading.Thread(target=self._redraw_until_ended, daemon=True)

    def __enter__(self) -> ProgressLine:
        if self._terminal:
            self._redrawer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._terminal:
            self._redrawer.join(timeout=1)
            with self._lock:
                self._write_over("")

    def show(self, step: Progress) -> None:
        with self._lock:
            self._steps[step.part] = step
            if self._terminal:
                self._draw()
            else:
                self._print_if_new(step)

    def _redraw_until_ended(self) -> None:
        while not self._ended.wait(_REDRAW_SECONDS):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        words = " · ".join(described(step) for step in self._steps.values())
        self._write_over(f"{words or 'Looking'} ({time.monotonic() - self._began:.0f} s)")

    def _write_over(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
        self._stream.flush()
        self._width = len(text)

    def _print_if_new(self, step: Progress) -> None:
        stage, printed = self._last_plain.get(step.part, ("", 0.0))
        now = time.monotonic()
        last_jar = step.stage == "jars" and step.done == step.total
        if step.stage != stage or last_jar or now - printed > _PLAIN_LINE_EVERY_SECONDS:
            self._last_plain[step.part] = (step.stage, now)
            print(f"{described(step)} ({step.seconds:.1f} s)", file=self._stream, flush=True)


def described(step: Progress) -> str:
    """A step in words, such as "kafka: jars 12/57"."""
    words = {
        "waiting": "waiting for another command",
        "jars": f"jars {step.done}/{step.total}",
        "building": "building it from source, which takes a few minutes the first time",
        "starting": "starting",
        "up": "up",
    }
    return f"{step.part}: {words[step.stage]}"
