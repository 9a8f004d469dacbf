"""Large files pass through the API without staying in its memory: one of 512 MiB or 2 GiB, and sixteen at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from loadtests.files.measure import Files
from loadtests.run import Run
from loadtests.system import LOOPBACK, Servers, System, free_ports, system_settings

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

GIB = 1 << 30
ONE_MOST_MIB = 64
SIXTEEN_MOST_MIB = 256


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["local", "s3"])
async def files(
    request: pytest.FixtureRequest, stack: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Files]:
    """Files of an API that has served some already, so that what is made once is made."""
    folder: Path = tmp_path_factory.mktemp("memory")
    port = free_ports(1)
    changes: dict[str, Any] = {
        "port": port,
        "public_url": f"http://{LOOPBACK}:{port}",
        "files_dir": str(folder / "files"),
    }
    config = None
    if request.param == "s3":
        minio = request.getfixturevalue("minio")
        config = minio.config()
        changes |= {"files": "s3", "s3_url": config.url, "s3_bucket": config.bucket}
    async with System(system_settings(stack, folder, **changes), folder, {}) as system, Run(system) as run:
        found = Files(system, run, rate=0.0)
        await found.warm_up()
        yield found
    if config is not None:
        await minio.delete_bucket(config)


@pytest.mark.parametrize("size", [GIB // 2, pytest.param(2 * GIB, marks=pytest.mark.long)], ids=["512 MiB", "2 GiB"])
async def test_a_large_file_goes_up_and_down_in_bounded_memory(files: Files, size: int) -> None:
    up, sent = await files.up(size, 1)
    assert up.growth_mib < ONE_MOST_MIB
    assert sent[0]["size_bytes"] == size
    down = await files.down(sent)  # which compares what comes with the checksum
    assert down.growth_mib < ONE_MOST_MIB


async def test_sixteen_at_once_come_in_in_bounded_memory(files: Files) -> None:
    up, sent = await files.up(32 << 20, 16)
    assert len(sent) == 16
    assert up.growth_mib < SIXTEEN_MOST_MIB
