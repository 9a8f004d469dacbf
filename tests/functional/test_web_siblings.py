"""Several processes of the API share a port: a scrape that meets one of them shows all of them, each once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from web.http.metrics import Metrics
from web.http.siblings import MOST_BYTES, Siblings, merged


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def process(name: str, accepted: int, folder: Path) -> Siblings:
    metrics = Metrics(name)
    metrics.messages_accepted.count = accepted
    metrics.requests.count(0.003, "GET", "/health", "200")
    return Siblings(8080, name, lambda: metrics.rendered()[0], folder)


async def test_a_scrape_shows_every_process_once_whichever_it_meets(tmp_path: Path, stack: AsyncExitStack) -> None:
    processes = [process(f"api-{n}", n, tmp_path) for n in (1, 2, 3)]
    for each in processes:
        await stack.enter_async_context(each.answering())
    texts = [(await each.text()).decode() for each in processes]
    for text in texts:
        for n in (1, 2, 3):
            assert text.count(f'chat4all_messages_accepted_total{{process="api-{n}"}} {n}\n') == 1
        assert text.count("# TYPE chat4all_messages_accepted_total counter\n") == 1
        assert text.count("# HELP chat4all_http_request_seconds ") == 1
    assert len({"\n".join(sorted(text.splitlines())) for text in texts}) == 1


async def test_a_process_that_ended_is_shown_no_more_and_its_socket_goes(tmp_path: Path, stack: AsyncExitStack) -> None:
    here = process("api-1", 1, tmp_path)
    await stack.enter_async_context(here.answering())
    async with process("api-2", 2, tmp_path).answering():
        assert b"api-2" in await here.text()
    assert b"api-2" not in await here.text()
    dead = tmp_path / "api-3.sock"
    server = await asyncio.start_unix_server(lambda reader, writer: None, dead)
    server.close()
    await server.wait_closed()
    assert b"api-1" in await here.text()
    assert not dead.exists()


async def test_a_process_that_hangs_or_talks_too_much_is_left_out_in_time(
    tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.http.siblings.ANSWER_SECONDS", 0.05)
    here = process("api-1", 1, tmp_path)
    await stack.enter_async_context(here.answering())
    silent = await asyncio.start_unix_server(lambda reader, writer: None, tmp_path / "api-2.sock")
    endless = Siblings(8080, "api-3", lambda: b"#" * (MOST_BYTES + 1), tmp_path)
    await stack.enter_async_context(silent)
    await stack.enter_async_context(endless.answering())
    text = await here.text()
    assert b'process="api-1"' in text
    assert len(text) < MOST_BYTES


async def test_a_folder_that_cannot_be_made_leaves_each_process_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    alone = process("api-1", 1, tmp_path / "file")
    async with alone.answering():
        assert b'process="api-1"' in await alone.text()


async def test_a_process_without_a_name_asks_nobody(tmp_path: Path, stack: AsyncExitStack) -> None:
    await stack.enter_async_context(process("api-1", 1, tmp_path).answering())
    assert b"api-1" not in await process("", 1, tmp_path).text()


def test_expositions_become_one() -> None:
    one = b'# HELP a A.\n# TYPE a counter\na{p="1"} 1\n# HELP b B.\n# TYPE b gauge\nb{p="1"} 5\n'
    two = b'# HELP a A.\n# TYPE a counter\na{p="2"} 2\n'
    assert merged([one, two]) == (
        b'# HELP a A.\n# TYPE a counter\na{p="1"} 1\na{p="2"} 2\n# HELP b B.\n# TYPE b gauge\nb{p="1"} 5\n'
    )
