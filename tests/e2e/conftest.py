"""Whole systems on the real Kafka and Cassandra of the session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.system import Servers, System, system_settings

TWO_OF_EACH = {"core": 2, "mirror": 2, "whatsapp": 2, "telegram": 1}
UPLOAD_HOLD_SECONDS = 3.0  # so long waits an upload whose API was killed
# telegram has short delays, so that a message's life can be watched; the others have none
SHORT_DELAYS = {
    "CHAT4ALL_SIMULATED_DELIVERED_SECONDS": "0.3,0.4",
    "CHAT4ALL_SIMULATED_READ_SECONDS": "0.3,0.4",
}


@pytest.fixture(scope="session")
def system(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An API, two workers of each role in use, one of telegram; whoever kills one starts it again."""
    folder: Path = tmp_path_factory.mktemp("system")
    settings = system_settings(stack, folder, upload_hold_seconds=UPLOAD_HOLD_SECONDS)
    made = System(settings, folder, TWO_OF_EACH, changes={"telegram": SHORT_DELAYS})
    try:
        asyncio.run(made.start())
        yield made
    finally:
        asyncio.run(made.stop())
