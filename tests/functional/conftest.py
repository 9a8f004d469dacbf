"""``api``, the running application on fakes, and what goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chat4all.cli.main import main
from support.api import Api, RunCommand, StartApi, running
from support.proxy import Proxy


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as api:
        yield api


@pytest.fixture
async def other_api(api: Api) -> AsyncIterator[Api]:
    """Another process over the same log and the same conversations."""
    other = Api(api.live_log)
    other.services.live.participants._store = api.conversations
    async with running(other):
        yield other


@pytest.fixture
async def two() -> AsyncIterator[tuple[Api, Api]]:
    """Two processes of one system."""
    first = Api()
    async with running(first.beside(first)) as one, running(Api().beside(one)) as other:
        yield one, other


@pytest.fixture
def start_api() -> StartApi:
    """Return an ``Api`` with settings of one's own, as a context manager."""
    return lambda **settings: running(Api(**settings))


@pytest.fixture
def run(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run a command in a thread, for the API answers in this one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CHAT4ALL_URL", f"http://127.0.0.1:{api.port}")

    async def run(*arguments: str, stdin: str | None = None, code: int = 0) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, main, arguments, stdin)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
async def proxy(api: Api) -> AsyncIterator[Proxy]:
    """A way to the API that can be held up and cut."""
    proxy = Proxy("127.0.0.1", api.port)
    await proxy.on()
    yield proxy
    await proxy.off()
