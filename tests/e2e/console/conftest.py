"""One system for all journeys through the console."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from loadtests.system import Servers
from support.console_stage import Stage, on_stage


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stage(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_stage(stack, tmp_path_factory.mktemp("console")) as made:
        yield made
