"""Logging for every process: one line an event, as JSON for machines or in colour for people."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Any

import orjson

from app.settings import Settings

# The request that is being worked on, for everything that is logged meanwhile; empty outside of requests.
logged_request_id: ContextVar[str] = ContextVar("request_id", default="")

# Fields of a record (``extra``) that become fields of its line.
FIELDS = ("request_id", "method", "path", "status", "ms", "user_id", "message_id", "conversation_id", "account")
IDS = ("message_id", "conversation_id", "account")  # of FIELDS, shown on a terminal, too
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
MAX_LINE_CHARS = 16_000
# aiokafka builds a debug record for each message; its records are useless here
_QUIET = ("aiokafka", "kafka", "faust", "mode", "cassandra", "asyncio", "aiohttp.access")


def _is_no_chatter(record: logging.LogRecord) -> bool:
    """Filter out the records of Faust's services about starting and stopping: ``[^--BatchConsumer]: Starting...``."""
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


class JsonFormatter(logging.Formatter):
    """``{"at":"…","level":"INFO","role":"core","logger":"…","message":"…"}``."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self._role = role
        self._known_second = 0, ""

    def _second(self, record: logging.LogRecord) -> str:
        """Return the time without fraction: it is the same for thousands of lines."""
        second = int(record.created)
        if self._known_second[0] != second:
            self._known_second = second, self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        return self._known_second[1]

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": f"{self._second(record)}.{int(record.msecs):03d}",
            "level": record.levelname,
            "role": self._role,
            "logger": record.name,
            "message": record.getMessage()[:MAX_LINE_CHARS],
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if isinstance(value, str | int | float):
                line[name] = value
        if "request_id" not in line and (request_id := logged_request_id.get()):
            line["request_id"] = request_id
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)[-MAX_LINE_CHARS:]
        return orjson.dumps(line).decode()


class TextFormatter(logging.Formatter):
    """``21:40:03.123 INFO  core   routed …``, coloured when ``colour`` is set."""

    def __init__(self, role: str = "", colour: bool = False) -> None:
        super().__init__()
        self._role = role
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname:<8}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        clock = self.formatTime(record, "%H:%M:%S")
        message = record.getMessage()[:MAX_LINE_CHARS]
        line = f"{clock}.{int(record.msecs):03d} {level} {self._role:<9} {message}"
        request_id = getattr(record, "request_id", None) or logged_request_id.get()
        if request_id:
            line += f" request_id={request_id}"
        for name in IDS:
            if value := getattr(record, name, None):
                line += f" {name}={value}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)[-MAX_LINE_CHARS:]
        return line


def logging_config(settings: Settings) -> dict[str, Any]:
    """Return a ``logging.config.dictConfig`` value for the process of ``settings.role``.

    It also turns off what a line does not show: the caller, threads and processes cost a third of a line's time
    (https://docs.python.org/3/howto/logging.html#optimization).
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    on_terminal = sys.stderr.isatty()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not on_terminal)
    formatter: dict[str, Any] = (
        {"()": JsonFormatter, "role": settings.role}
        if as_json
        else {"()": TextFormatter, "role": settings.role, "colour": on_terminal or settings.log_format == "colour"}
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "filters": {"chatter": {"()": lambda: _is_no_chatter}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["chatter"],
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": settings.log_level, "handlers": ["stderr"]},
        "loggers": {name: {"level": "WARNING"} for name in _QUIET},
    }
