"""Pages of messages to many are made bit by bit: whoever else is served by the process has a turn meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from domain.ports import LogPosition, StoredMessage
from domain.records import MessageAccepted, StatusChanged
from domain.status import Fact, State, fold
from storage.cassandra.facts import encode_fact
from storage.cassandra.reader import _messages
from web.history.merge import merge_page
from web.history.recent import RecentMessages

T = TypeVar("T")
ADDRESSES = tuple(f"internal:user-{n}" for n in range(256))
MOST_FACTS_IN_A_TURN = 4_000


async def turns_of_others(work: Awaitable[T]) -> tuple[T, int]:
    """Return what ``work`` returns, and how often somebody else had a turn before it did."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    try:
        return await work, turns
    finally:
        task.cancel()


def facts_to_all(word: str) -> list[Fact]:
    return [Fact(word, 5, 1, f"p-{address}", None, None, address, len(ADDRESSES)) for address in ADDRESSES]


async def test_a_page_of_messages_to_256_is_decoded_in_many_turns() -> None:
    texts = [encode_fact(fact) for word in ("SENT", "DELIVERED", "READ") for fact in facts_to_all(word)]
    nothing_more = (None,) * 13
    rows = [
        (1, n, f"m-{n}", "u-1", "", "hi", None, None, ADDRESSES, ADDRESSES, *nothing_more, texts) for n in range(30)
    ]
    found, turns = await turns_of_others(_messages("c-1", rows))
    assert [one.state.status for one in found] == ["READ"] * 30
    assert turns >= 30 * len(texts) / MOST_FACTS_IN_A_TURN


async def test_a_page_of_messages_to_256_is_joined_with_memory_in_many_turns() -> None:
    state: State = fold(facts_to_all("SENT"))
    recent = RecentMessages(1_000)
    stored = []
    for n in range(30):
        message = MessageAccepted(f"m-{n}", "c-1", "u-1", "", "hi", None, ADDRESSES, ADDRESSES)
        stored.append(StoredMessage(message, LogPosition(1, n), state))
        read = StatusChanged(f"m-{n}", "c-1", "READ", 7, 1, n, "", recipient_id=ADDRESSES[0], recipient_count=256)
        recent.add_fact(read)
    page, turns = await turns_of_others(merge_page(stored, [], recent.get, limit=30, descending=False))
    assert [one.state.counts["READ"] for one in page] == [1] * 30
    assert turns >= 30 * len(ADDRESSES) / MOST_FACTS_IN_A_TURN
