"""`chat4all run --simulator`: real connectors and people who answer, on the real Kafka and Cassandra."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from loadtests.system import Servers
from support.waiting import until
from support.whole_run import System

pytestmark = [pytest.mark.real, pytest.mark.timeout(170), pytest.mark.asyncio(loop_scope="module")]
MARIA = "+5511999990000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory, stack: Servers) -> AsyncIterator[System]:
    system = System(tmp_path_factory.mktemp("simulator"), stack, "--simulator")
    await system.start()
    yield system
    if system.process.returncode is None:
        await system.stop()


async def lines_of(system: System, *arguments: str) -> list[Any]:
    """Return the JSON lines of a command that succeeds."""
    code, output = await system.call(*arguments)
    assert code == 0, output
    return [json.loads(line) for line in output.splitlines()]


async def sent(system: System, to: str, text: str, wait: str = "read") -> list[Any]:
    return await lines_of(system, "send", to, text, "--json", "--timeout", "30", "--wait", wait)


async def conversation_of(system: System, states: list[Any]) -> str:
    [message] = await lines_of(system, "status", states[0]["message_id"], "--json")
    return str(message["conversation_id"])


async def test_a_message_is_shown_on_the_telephone_and_read_and_the_answer_is_in_the_conversation(
    system: System,
) -> None:
    states = await sent(system, f"whatsapp:{MARIA}", "hello")
    assert [state["status"] for state in states][-1] == "READ"
    conversation = await conversation_of(system, states)
    [screen] = await lines_of(system, "phones", "--json", "show", MARIA)
    assert [message["text"] for message in screen["messages"]] == ["hello"]
    await lines_of(system, "phones", "--json", "reply", MARIA, "oi")

    async def texts() -> list[str]:
        return [message["content"] for message in await lines_of(system, "messages", conversation, "--json")]

    async def is_answered() -> bool:
        return await texts() == ["hello", "oi"]

    await until(is_answered, 30)
    states = await sent(system, f"whatsapp:{MARIA}", "again")
    assert await conversation_of(system, states) == conversation


# Telegram tells of nothing after SENT
@pytest.mark.parametrize(
    ("channel", "identifier", "wait"), [("instagram", "igsid", "read"), ("telegram", "chat_id", "sent")]
)
async def test_somebody_who_wrote_first_is_answered(system: System, channel: str, identifier: str, wait: str) -> None:
    handle = f"{channel}_maria"
    [person] = await lines_of(system, "phones", "--json", "new", "--handle", handle)
    await lines_of(system, "phones", "--json", "send", f"@{handle}", "oi", "--channel", channel)
    await sent(system, f"{channel}:{person[identifier]}", "hello", wait)
    [screen] = await lines_of(system, "phones", "--json", "show", f"@{handle}")
    assert [message["text"] for message in screen["messages"]] == ["oi", "hello"]


async def test_ctrl_c_stops_the_simulator_too(system: System) -> None:
    assert await system.stop() == 0
    code, output = await system.call("phones")
    assert code == 1
    assert "no simulator answers" in output
