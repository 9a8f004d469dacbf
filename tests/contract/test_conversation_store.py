"""ConversationStore, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from domain.errors import StoreUnavailable

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW_MS = 1_767_225_600_000


def fresh() -> str:
    return f"c-{uuid.uuid4()}"


async def test_participants_are_known_and_strangers_are_not(stores):
    conversation = fresh()
    assert await stores.conversations.is_participant(conversation, "alice") is None
    assert (
        await stores.conversations.create(conversation, ["alice", "whatsapp:+5511999990000", "alice"], NOW_MS) is True
    )
    assert await stores.conversations.is_participant(conversation, "alice") is True
    assert await stores.conversations.is_participant(conversation, "whatsapp:+5511999990000") is True
    assert await stores.conversations.is_participant(conversation, "mallory") is False


async def test_creating_again_changes_nothing(stores):
    conversation = fresh()
    assert await stores.conversations.create(conversation, ["alice"], NOW_MS) is True
    assert await stores.conversations.create(conversation, ["mallory"], NOW_MS + 1) is False
    assert await stores.conversations.is_participant(conversation, "mallory") is False


async def test_a_conversation_may_have_many_participants_or_none_yet(stores):
    crowd, empty = fresh(), fresh()
    assert await stores.conversations.create(crowd, [f"user-{n}" for n in range(256)], NOW_MS) is True
    assert await stores.conversations.is_participant(crowd, "user-255") is True
    assert await stores.conversations.create(empty, [], NOW_MS) is True
    assert await stores.conversations.is_participant(empty, "alice") is False
    assert await stores.conversations.create(empty, ["alice"], NOW_MS) is False


@pytest.mark.parametrize("odd", ["", "\ud800", 'it\'s; "odd"\n👩'])
async def test_an_odd_id_is_not_known(stores, odd):
    assert await stores.conversations.is_participant(odd, "alice") is None
    conversation = fresh()
    await stores.conversations.create(conversation, ["alice"], NOW_MS)
    assert await stores.conversations.is_participant(conversation, odd) is False


async def test_of_many_who_create_a_conversation_at_once_exactly_one_does(stores):
    conversation = fresh()

    async def try_to_create(who: str) -> bool:
        for _ in range(20):
            try:
                return await stores.conversations.create(conversation, [who], NOW_MS)
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        raise AssertionError("never decided")

    creators = [f"user-{n}" for n in range(10)]
    won = await asyncio.gather(*map(try_to_create, creators))
    takes_part = [await stores.conversations.is_participant(conversation, who) for who in creators]
    assert sum(takes_part) == 1
    # a transaction that timed out may have been applied: its creator then hears that somebody has been faster
    assert sum(won) <= 1
    assert [took for took, did in zip(takes_part, won, strict=True) if did] == [True] * sum(won)


async def test_participants_are_listed(stores):
    conversation = fresh()
    assert await stores.conversations.participants(conversation) is None
    await stores.conversations.create(conversation, ["bob", "alice"], NOW_MS)
    assert list(await stores.conversations.participants(conversation)) == ["alice", "bob"]


async def test_an_outage_is_told_quickly(stores):
    conversation = fresh()
    await stores.conversations.create(conversation, ["alice"], NOW_MS)
    await stores.off()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await stores.conversations.is_participant(conversation, "alice")
        with pytest.raises(StoreUnavailable):
            await stores.conversations.create(fresh(), ["alice"], NOW_MS)
        assert time.monotonic() - began < 6
    finally:
        await stores.on()
