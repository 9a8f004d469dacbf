"""Who waits for whom: the reader that does without an answer, and the turns of requests with one key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import StoreUnavailable, Unavailable
from domain.ports import LogPosition, StoredMessage
from support.waiting import pass_time
from web.history.best_effort_reader import AT_ONCE, BestEffortReader
from web.messages.keyed_lock import KeyedLock


class Store:
    """A store that answers nothing while ``is_stalled``: each question then fails when ``abandon`` is set."""

    def __init__(self) -> None:
        self.is_stalled = False
        self.abandon = asyncio.Event()
        self.asked = 0

    async def get(self, message_id: str) -> StoredMessage | None:
        self.asked += 1
        if self.is_stalled:
            await self.abandon.wait()
            raise StoreUnavailable("no answer in time")
        return None

    async def list(
        self, conversation_id: str, *, after: LogPosition | None, limit: int, descending: bool
    ) -> Sequence[StoredMessage]:
        raise NotImplementedError


async def test_a_store_that_says_nothing_is_waited_for_once_and_then_by_one_at_a_time() -> None:
    store = Store()
    reader = BestEffortReader(store)
    store.is_stalled = True
    many = [asyncio.create_task(reader.get(f"m-{n}")) for n in range(5 * AT_ONCE)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert store.asked == AT_ONCE
    store.abandon.set()
    store.abandon.clear()  # those who were asking have their answer; those who waited for room find the store away
    _, still = await asyncio.wait(many, timeout=1, return_when=asyncio.ALL_COMPLETED)
    (probe,) = still
    assert store.asked == AT_ONCE + 1
    for n in range(50):
        async with asyncio.timeout(1):
            assert await reader.get(f"m-{n}") is None
    assert store.asked == AT_ONCE + 1
    store.is_stalled = False
    store.abandon.set()
    await probe
    await reader.get("m-2")
    await asyncio.gather(*(reader.get(f"m-{n}") for n in range(10)))
    assert store.asked == AT_ONCE + 12


async def test_those_who_hold_keys_exclude_each_other_and_nobody_waits_in_a_circle() -> None:
    lock, holders, most = KeyedLock(5), dict.fromkeys("abcd", 0), 0

    async def work(keys: str) -> None:
        nonlocal most
        async with lock.acquire(keys):
            for key in keys:
                holders[key] += 1
                most = max(most, holders[key])
            await pass_time(0.001)
            for key in keys:
                holders[key] -= 1

    async with asyncio.timeout(4):
        await asyncio.gather(*(work(keys) for keys in ["ab", "ba", "bc", "ca", "abcd", "d", "dcba", ""] * 8))
    assert (most, len(lock)) == (1, 0)


async def test_a_key_is_free_again_after_an_error_and_waiting_has_an_end() -> None:
    lock = KeyedLock(0.05)
    with pytest.raises(ZeroDivisionError):
        async with lock.acquire(["a"]):
            raise ZeroDivisionError
    async with lock.acquire(["a"]):
        with pytest.raises(Unavailable):
            async with lock.acquire(["b", "a"]):
                pass
        async with lock.acquire(["b"]):
            pass
    assert len(lock) == 0


@given(st.lists(st.sets(st.sampled_from("abcde"), max_size=4), max_size=25))
def test_any_wishes_are_all_granted(wishes: list[set[str]]) -> None:
    async def run() -> int:
        lock, granted = KeyedLock(5), 0

        async def work(keys: set[str]) -> None:
            nonlocal granted
            async with lock.acquire(keys):
                await asyncio.sleep(0)
                granted += 1

        await asyncio.gather(*map(work, wishes))
        return granted

    assert asyncio.run(run()) == len(wishes)
