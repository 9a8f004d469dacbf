"""Whole systems on the real Kafka and Cassandra of the session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.system import Servers, System, system_settings
from support.scheduling import SYSTEM, group_of

TWO_OF_EACH = {"core": 2, "mirror": 2, "whatsapp": 2, "telegram": 1}
UPLOAD_HOLD_SECONDS = 3.0  # so long waits an upload whose API was killed
# telegram has short delays, so that a message's life can be watched; the others have none
SHORT_DELAYS = {
    "CHAT4ALL_SIMULATED_DELIVERED_SECONDS": "0.3,0.4",
    "CHAT4ALL_SIMULATED_READ_SECONDS": "0.3,0.4",
}

_running: list[System] = []


@pytest.fixture(scope="session")
def system(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An API, two workers of each role in use, one of telegram; a test that kills one starts it again."""
    folder: Path = tmp_path_factory.mktemp("system")
    settings = system_settings(stack, folder, upload_hold_seconds=UPLOAD_HOLD_SECONDS)
    made = System(settings, folder, TWO_OF_EACH, changes={"telegram": SHORT_DELAYS})
    _running.append(made)
    try:
        asyncio.run(made.start())
        yield made
    finally:
        _stop_system()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop the system after its last test: idle workers take processor time from the tests that follow."""
    if nextitem is None or group_of(nextitem.nodeid) != SYSTEM:
        _stop_system()


def _stop_system() -> None:
    while _running:
        asyncio.run(_running.pop().stop())
