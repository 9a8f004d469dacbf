"""Many clients write to one conversation at once: none is overwritten, none is missing, each is what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from loadtests.generator import Shots
from loadtests.groups import until
from loadtests.http_client import Client
from loadtests.orders import Order, Orders
from loadtests.run import Run
from loadtests.system import System

pytestmark = pytest.mark.real

MESSAGES = 2_000
CLIENTS = 64
PAGE = 100
CAUGHT_UP_SECONDS = 30.0

# what text is likely to be broken by: quoting, escaping, normalising, trimming, splitting, counting
HARD = [
    "'single' \"double\" `back`",
    "C:\\new\\table \\u0041 \\\\",
    "line one\nline two\r\nline three\rend",
    "\ttab\t",
    "👋 👩‍👩‍👧‍👦 🇧🇷 é e\u0301 \u202eright to left\u202c",
    "  spaces kept  ",
    "\u0001\u0002\u001f\u007f\u0085",
    "\u2028\u2029\ufeff\u200b",
    "{'json': \"like\"} <b>&amp;</b> ${jndi:x} %s {0} ; DROP TABLE messages; --",
    "Здравствуйте 你好 שלום नमस्ते",
    "\U0010ffff\ufffd\ue000",
    "null",
    "0",
    "a" * 4_000,
]


async def _pages(client: Client, conversation_id: str, order: str) -> list[Any]:
    """Return the whole conversation, page by page."""
    found: list[Any] = []
    cursor = ""
    while True:
        answer = await client.ask(
            "GET", f"/v1/messages?conversation_id={conversation_id}&limit={PAGE}&order={order}{cursor}"
        )
        assert answer.status == 200, answer
        page = answer.json()
        found += page["messages"]
        if not page["pagination"]["has_more"]:
            return found
        assert len(page["messages"]) == PAGE
        cursor = f"&cursor={page['pagination']['next_cursor']}"


def _accepted(orders: list[Order], shots: Shots) -> dict[str, str]:
    return {answer.json()["message_id"]: order.content for order, answer in zip(orders, shots.answers, strict=True)}


async def test_two_thousand_messages_of_64_clients_into_one_conversation_are_all_there_as_they_were_sent(
    system: System,
) -> None:
    made = Orders(1, ["whatsapp"])
    conversation = made.conversations[0]
    orders = [
        Order(conversation, plain.recipient_id, f"{HARD[n % len(HARD)]}{n}")
        for n, plain in enumerate(made.make(MESSAGES))
    ]
    async with Run(system, connections=CLIENTS) as run:
        shots = await run.send(orders)
        assert shots.count(202) == MESSAGES
        sent = _accepted(orders, shots)
        assert len(sent) == MESSAGES
        client = system.client(run.token)
        at_once = await _pages(client, conversation, "asc")
        assert {shown["message_id"]: shown["content"] for shown in at_once} == sent
        assert await run.settled()
        await run.at_rest()
        balance = run.balance()
        assert balance.is_balanced, str(balance)
        in_log_order = run.ledger.in_log_order(conversation)

        async def is_shown_as_read() -> bool:
            return all(shown["status"] == "READ" for shown in await _pages(client, conversation, "asc"))

        await until("the API shows every message as READ", CAUGHT_UP_SECONDS, is_shown_as_read)
        later = await _pages(client, conversation, "asc")
        assert [shown["message_id"] for shown in later] == in_log_order
        assert {shown["message_id"]: shown["content"] for shown in later} == sent
        latest_first = await _pages(client, conversation, "desc")
        assert latest_first == later[::-1]


async def test_a_message_with_u0000_is_refused_and_nothing_of_it_is_produced(system: System) -> None:
    async with Run(system, connections=1) as run:
        orders = Orders(1, ["whatsapp"]).make(2)
        refused = Order(orders[0].conversation_id, orders[0].recipient_id, "a\x00b")
        shots = await run.send([refused])
        assert shots.answers[0].status == 400
        assert "U+0000" in shots.answers[0].json()["error"]
        await run.send(orders[1:])
        assert await run.settled()
        balance = run.balance()
        assert balance.is_balanced, str(balance)
        assert (balance.accepted, balance.read) == (1, 1)
