"""`chat4all phones` against a running simulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from click.testing import CliRunner, Result

from chat4all.cli.main import main
from support.simulated import MARIA, SimulatedWorld, simulated
from support.waiting import until

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with simulated() as world:
        yield world


@pytest.fixture
def run(world: SimulatedWorld) -> Run:
    """Run a command in a thread, for the simulator answers in this one."""

    async def run(*arguments: str, code: int = 0) -> Result:
        command = ["phones", "--url", world.url, *arguments]
        result = await asyncio.to_thread(CliRunner().invoke, main, command)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


async def test_people_are_made_listed_and_shown(world: SimulatedWorld, run: Run) -> None:
    await run("new", "--number", f"+{MARIA}", "--name", "Maria", "--answers", "you said: {text}")
    assert f"+{MARIA}" in (await run()).output
    await world.whatsapp(type="text", text={"body": "hi"})
    await until(lambda: world.receiver.messages())
    lines = (await run("show", f"+{MARIA}")).output.splitlines()
    assert [line.split()[0] for line in lines] == ["←", "→"]
    assert "you said: hi" in lines[1]


async def test_somebody_acts(world: SimulatedWorld, run: Run) -> None:
    await run("new", "--handle", "maria")
    await run("send", "@maria", "oi", "--channel", "instagram")
    person = await world.get("/phones/@maria")
    await world.instagram(person["igsid"], message={"text": "hello"})
    await run("reply", "@maria", "yes", "--quote")
    await run("react", "@maria", "❤")
    await run("do", "@maria", "block")
    await until(lambda: len(world.receiver.messaging()) >= 4)
    shown = await world.screen("@maria")
    assert [message["text"] for message in shown] == ["oi", "hello", "yes"]
    assert (await world.get("/phones/@maria"))["blocked"] != []


async def test_programs_get_json(run: Run) -> None:
    assert json.loads((await run("--json", "list", "--limit", "1")).output)["phones"][0]["name"] == "Always fails"


async def test_refusals_are_sentences(run: Run) -> None:
    assert "there is no phone @nobody" in (await run("show", "@nobody", code=1)).output
    assert "shows no such message yet" in (await run("press", "+12025550101", code=1)).output
    nowhere = await run("--url", "http://127.0.0.1:9", code=1)
    assert "start `chat4all simulator`" in nowhere.output
