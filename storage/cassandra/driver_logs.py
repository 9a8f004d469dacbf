"""The driver's loggers, configured for a service: one line a record, none about deliberate settings."""

from __future__ import annotations

import logging
import time

_LOGGERS = ("cluster", "connection", "pool", "policies", "protocol", "metadata", "io.libevreactor")
_REPEAT_SECONDS = 60.0
# Batches over several partitions of one replica set are how the mirror saves statements; the server warns of each.
_EXPECTED = ("Unlogged batch covering", "Batch for ")
_MAX_TEMPLATES = 1000


class OneLine(logging.Filter):
    """Drops the traceback, remarks on our batches, and repetitions of a message within a minute.

    While Cassandra is away the driver would otherwise log a traceback for each attempt and host.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log ``record``, shortened."""
        template = str(record.msg)
        if template.startswith("Server warning") and any(words in record.getMessage() for words in _EXPECTED):
            return False
        if record.exc_info and record.exc_info[1] is not None:
            record.msg, record.args = f"{record.getMessage()} {record.exc_info[1]!r:.200}", None
            record.exc_info = record.exc_text = None
        now = time.monotonic()
        if record.levelno >= logging.INFO and now - self._last.get(template, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        if len(self._last) >= _MAX_TEMPLATES:
            self._last.clear()
        self._last[template] = now
        return True


def quieten() -> None:
    """Install the filter, once. Levels are left to the logging set-up; at DEBUG everything passes but tracebacks."""
    for name in _LOGGERS:
        logger = logging.getLogger(f"cassandra.{name}")
        if not any(isinstance(known, OneLine) for known in logger.filters):
            logger.addFilter(OneLine())
