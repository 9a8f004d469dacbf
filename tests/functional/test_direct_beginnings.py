"""Direct conversations are written beside their messages, with bounds."""

from __future__ import annotations

import pytest

from domain.direct import direct_id
from domain.errors import StoreUnavailable
from fakes.stores import MemoryConversations
from support.waiting import until
from web.conversations import beginnings
from web.conversations.beginnings import Beginning, DirectBeginnings


def beginning(other: str) -> Beginning:
    return Beginning(direct_id("u-1", other), "u-1", other, 5)


@pytest.fixture
async def store() -> MemoryConversations:
    return MemoryConversations()


async def test_an_answer_waits_for_the_row_and_not_for_a_store_that_is_away(store: MemoryConversations) -> None:
    written: list[Beginning] = []
    begun = DirectBeginnings(store, written.append, retry_seconds=0.01)
    store.available = False
    first, second = beginning("u-2"), beginning("u-3")
    begun.begin(first)
    await begun.wait(first.conversation_id)  # it was tried once
    begun.begin(second)
    await begun.wait(second.conversation_id)
    assert written == []
    assert first.conversation_id in begun
    store.available = True
    await until(lambda: set(written) == {first, second})
    await until(lambda: first.conversation_id not in begun)
    assert await store.participants(first.conversation_id) == ["u-1", "u-2"]
    third = beginning("u-4")
    begun.begin(third)
    await begun.wait(third.conversation_id)
    assert third in written


async def test_a_slow_store_holds_an_answer_for_a_bounded_time(store: MemoryConversations) -> None:
    begun = DirectBeginnings(store, lambda _: None, wait_seconds=0.01)
    begin = store.begin_direct

    async def slow(*args: object) -> None:
        await until(lambda: False, 0.1)

    store.begin_direct = slow  # type: ignore[method-assign, assignment]
    begun.begin(beginning("u-2"))
    await begun.wait(beginning("u-2").conversation_id)
    assert beginning("u-2").conversation_id in begun
    store.begin_direct = begin  # type: ignore[method-assign]
    await begun.close(0.01)


async def test_only_so_many_wait_for_the_store(store: MemoryConversations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "MOST_WAITING", 2)
    begun = DirectBeginnings(store, lambda _: None, retry_seconds=60)
    store.available = False
    for other in ("u-2", "u-3", "u-2"):
        begun.begin(beginning(other))
    with pytest.raises(StoreUnavailable):
        begun.begin(beginning("u-4"))
    await begun.close(0.01)
    await until(lambda: beginning("u-2").conversation_id not in begun)


async def test_what_the_store_refuses_for_good_is_tried_again_by_the_next_message(store: MemoryConversations) -> None:
    written: list[Beginning] = []
    begun = DirectBeginnings(store, written.append)
    begin = store.begin_direct

    async def refuse(*args: object) -> None:
        raise ValueError("no")

    store.begin_direct = refuse  # type: ignore[method-assign, assignment]
    begun.begin(beginning("u-2"))
    await begun.wait(beginning("u-2").conversation_id)
    await until(lambda: beginning("u-2").conversation_id not in begun)
    assert written == []
    store.begin_direct = begin  # type: ignore[method-assign]
    begun.begin(beginning("u-2"))
    await begun.wait(beginning("u-2").conversation_id)
    assert written == [beginning("u-2")]
