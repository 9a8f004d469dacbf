"""Addresses join conversations in the background, gathered into few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from domain.errors import StoreUnavailable
from domain.ports import NewParticipant
from fakes.stores import MemoryConversations
from web.conversations.joins import MOST_WAITING, ROWS_AT_ONCE, JoinWriter


class SlowStore(MemoryConversations):
    """A store that writes when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Sequence[NewParticipant]] = []
        self.go_on = asyncio.Event()
        self.asked = asyncio.Condition()
        self.failure: Exception | None = None

    async def join(self, joins: Sequence[NewParticipant]) -> None:
        self.batches.append(joins)
        async with self.asked:
            self.asked.notify_all()
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        await super().join(joins)


@pytest.fixture
async def store() -> SlowStore:
    store = SlowStore()
    await store.create("c-1", ["ana"], 1)
    return store


def writer(store: SlowStore) -> JoinWriter:
    return JoinWriter(store, lambda: 7, gather_seconds=0, retry_seconds=0)


async def until_asked(store: SlowStore, times: int) -> None:
    async with asyncio.timeout(5), store.asked:
        await store.asked.wait_for(lambda: len(store.batches) >= times)


async def test_joins_gather_while_a_batch_is_under_way(store: SlowStore) -> None:
    joins = writer(store)
    assert joins.add("c-1", "telegram:0")
    await until_asked(store, 1)
    assert all(joins.add("c-1", f"telegram:{n}") for n in range(ROWS_AT_ONCE + 4))
    assert ("c-1", "telegram:0") in joins
    store.go_on.set()
    await joins.close(5)
    assert [len(batch) for batch in store.batches] == [1, ROWS_AT_ONCE, 3]
    assert len(await store.participants("c-1") or ()) == ROWS_AT_ONCE + 5
    assert len(joins) == 0
    assert joins.add("c-1", "telegram:999")
    await joins.close(5)
    assert "telegram:999" in (await store.participants("c-1") or ())


async def test_joins_are_repeated_until_the_store_takes_them(store: SlowStore) -> None:
    joins = writer(store)
    store.failure = StoreUnavailable("away")
    store.go_on.set()
    joins.add("c-1", "telegram:5")
    await until_asked(store, 3)
    assert ("c-1", "telegram:5") in joins
    store.failure = None
    await joins.close(5)
    member = next(one for one in (await store.get("c-1")).members if one.participant_id == "telegram:5")
    assert member.joined_at_ms == 7


async def test_a_join_that_is_repeated_while_it_waits_keeps_its_first_time(store: SlowStore) -> None:
    times = iter([7, 8, 9])
    joins = JoinWriter(store, lambda: next(times), gather_seconds=0, retry_seconds=0)
    joins.add("c-1", "telegram:0")
    await until_asked(store, 1)
    joins.add("c-1", "telegram:5")
    joins.add("c-1", "telegram:5")
    store.go_on.set()
    await joins.close(5)
    joined = {one.participant_id: one.joined_at_ms for one in (await store.get("c-1")).members}
    assert (joined["telegram:0"], joined["telegram:5"]) == (7, 8)


async def test_a_batch_that_the_store_refuses_does_not_hold_up_the_next(store: SlowStore) -> None:
    joins = writer(store)
    store.failure = ValueError("no such column")
    store.go_on.set()
    joins.add("c-1", "telegram:5")
    await joins.close(5)
    assert len(joins) == 0
    store.failure = None
    joins.add("c-1", "telegram:5")
    await joins.close(5)
    assert "telegram:5" in (await store.participants("c-1") or ())


async def test_the_number_of_waiting_joins_is_bounded(store: SlowStore) -> None:
    joins = writer(store)
    assert all(joins.add("c-1", f"telegram:{n}") for n in range(MOST_WAITING))
    assert not joins.add("c-1", "telegram:999999")
    await joins.close(0)
    assert not joins.add("c-1", "telegram:999999")
