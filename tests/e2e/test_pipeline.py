"""The whole system through its public API: from ACCEPTED to READ, each message once, in order, all views agreeing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.audit import audit
from app.ledger.reader import open_reader
from domain.ledger import Balance
from loadtests.http_client import Client
from loadtests.orders import Orders, signed_up
from loadtests.run import Run
from loadtests.system import System
from support.waiting import until
from tables.loaders import LOADERS

pytestmark = pytest.mark.real

MESSAGES = 1_500
CONVERSATIONS = 150
LIFE_SECONDS = 20.0


async def _read(client: Client, message_id: str) -> Any:
    """Return the message once it is READ."""
    shown: Any = {}

    async def is_read() -> bool:
        nonlocal shown
        answer = await client.ask("GET", f"/v1/messages/{message_id}")
        assert answer.status == 200, answer
        shown = answer.json()
        return bool(shown["status"] == "READ")

    await until(is_read, LIFE_SECONDS, look_seconds=0.05)
    return shown


async def test_a_message_goes_from_accepted_to_read_and_every_view_shows_the_same(system: System) -> None:
    settings = system.settings
    client = system.client(await signed_up(settings.host, settings.port))
    wanted = {"conversation_id": "one-life", "recipient_id": "telegram:@Maria_2", "content": 'Olá "mundo" \\ \n 👋'}

    answer = await client.ask("POST", "/v1/messages", wanted)

    assert answer.status == 202, answer
    accepted = answer.json()
    assert accepted["status"] == "ACCEPTED"
    assert answer.header("Location") == f"/v1/messages/{accepted['message_id']}"
    shown = await _read(client, accepted["message_id"])
    assert shown["content"] == wanted["content"]
    assert shown["recipient_id"] == "telegram:@maria_2"
    assert shown["timestamp"] == accepted["timestamp"]
    times = [accepted["accepted_at"], shown["sent_at"], shown["delivered_at"], shown["read_at"]]
    assert times == sorted(times)
    assert shown["failed_at"] is None
    listed = (await client.ask("GET", "/v1/messages?conversation_id=one-life")).json()["messages"]
    assert listed == [shown]


async def _balances_until(sending: asyncio.Task[Any], system: System) -> list[Balance]:
    """Return the ledger's balances, one after the other, until all is sent."""
    async with open_reader(system.settings, LOADERS) as reader:
        seen = [await reader.round()]
        while not sending.done():
            seen.append(await reader.round())
    return seen


async def test_fifteen_hundred_messages_in_150_conversations_arrive_once_and_in_order(system: System) -> None:
    orders = Orders(CONVERSATIONS, ["whatsapp"])
    async with Run(system) as run:
        await run.meet(orders)
        sending = asyncio.create_task(run.send(orders.make(MESSAGES)))
        seen = await _balances_until(sending, system)
        shots = await sending
        assert shots.count(202) == MESSAGES
        assert await run.settled()
        await run.at_rest()
        balance = run.balance()
        assert balance.is_balanced, str(balance)
        assert balance.read == MESSAGES + CONVERSATIONS
    assert {balance.difference for balance in seen} == {0}, "the ledger is balanced while messages are under way, too"
    async with open_reader(system.settings, LOADERS) as reader:
        at_rest = await reader.round()
    assert (at_rest.waiting, at_rest.difference, at_rest.sent) == (0, 0, at_rest.accepted)
    assert at_rest.accepted >= MESSAGES + CONVERSATIONS
    report = await audit(system.settings, LOADERS)
    assert report.is_clean, str(report)
    assert report.behind == 0
    assert report.messages >= MESSAGES + CONVERSATIONS
