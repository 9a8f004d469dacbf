"""What a running process logs can be changed from outside."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Iterator

import pytest

from app.log_level import toggle, toggle_on_signal
from app.logs import JsonFormatter, TextFormatter
from support.waiting import until


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel("WARNING")
    yield logger
    logger.setLevel(before)


async def test_a_signal_switches_to_debug_and_another_one_back(root: logging.Logger) -> None:
    toggle_on_signal(asyncio.get_running_loop(), "WARNING")
    os.kill(os.getpid(), signal.SIGUSR2)
    await until(lambda: root.level == logging.DEBUG)
    os.kill(os.getpid(), signal.SIGUSR2)
    await until(lambda: root.level == logging.WARNING)
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR2)


def test_the_change_is_logged_whatever_the_level(root: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    toggle("ERROR")
    toggle("ERROR")
    assert [record.getMessage().split()[6] for record in caplog.records] == ["DEBUG", "ERROR"]


def test_a_line_has_the_ids_that_its_record_has() -> None:
    record = logging.LogRecord("agents", logging.INFO, "", 0, "sent", (), None)
    record.__dict__ |= {"message_id": "m", "conversation_id": "c", "account": "main", "request_id": "r", "secret": "s"}
    line = json.loads(JsonFormatter("core").format(record))
    assert {"message_id": "m", "conversation_id": "c", "account": "main", "request_id": "r"}.items() <= line.items()
    assert "secret" not in line
    assert "message_id=m conversation_id=c account=main" in TextFormatter("core").format(record)
