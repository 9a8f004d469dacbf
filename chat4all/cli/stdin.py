"""Input from stdin or the keyboard: bounded, UTF-8, interrupted by the first Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

MAX_PASSWORD_BYTES = 65_536


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end a blocking read at once. asyncio would only cancel the task, which is not running meanwhile."""
    if threading.current_thread() is not threading.main_thread():  # signals are for the main thread alone
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def text_of_stdin(most_bytes: int) -> str:
    """Return all of stdin. Raises ``click.UsageError`` if it is longer than ``most_bytes``, or not UTF-8."""
    with interruptible():
        found = _stdin().read(most_bytes + 1)
    if len(found) > most_bytes:
        raise click.UsageError(f"the text on stdin has more than {most_bytes} bytes, which is the most for a message")
    return _decoded(found)


def line_of_stdin() -> str:
    """Return the first line of stdin without its end. Raises ``click.UsageError`` if it is not UTF-8."""
    with interruptible():
        found = _stdin().readline(MAX_PASSWORD_BYTES)
    return _decoded(found).rstrip("\r\n")


def _stdin() -> BinaryIO:
    if sys.stdin is None:  # closed by who started us, as by `<&-`
        raise click.UsageError("there is no stdin to read from")
    return sys.stdin.buffer


def _decoded(found: bytes) -> str:
    try:
        return found.decode()
    except UnicodeDecodeError:
        raise click.UsageError("what is on stdin is not text in UTF-8") from None
