"""SIGUSR2 changes the log level of a running process: DEBUG, and back to the level of its settings."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress

log = logging.getLogger(__name__)


def toggle_on_signal(loop: asyncio.AbstractEventLoop, usual: str) -> None:
    """Let each SIGUSR2 switch between DEBUG and ``usual``, a name of a level."""
    with suppress(ValueError, RuntimeError):  # a loop that is not the main thread's has no signals
        loop.add_signal_handler(signal.SIGUSR2, toggle, usual)


def toggle(usual: str) -> None:
    """Switch the root logger's level; the change itself is always logged."""
    root = logging.getLogger()
    wanted = usual if root.level == logging.DEBUG else "DEBUG"
    root.setLevel(wanted)
    log.log(max(logging.WARNING, root.level), "the level of the log is %s now (SIGUSR2)", wanted)
