"""Who takes part, as live notifications remember it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from domain.conversations import Conversation, Member
from domain.errors import StoreUnavailable
from fakes.stores import MemoryConversations
from support.waiting import stays, until
from web.conversations.heard import Heard
from web.conversations.participants import Participants


class Store(MemoryConversations):
    def __init__(self) -> None:
        super().__init__()
        self.questions = 0
        self.now = 0.0

    async def get(self, conversation_id: str) -> Conversation | None:
        self.questions += 1
        await asyncio.sleep(0)
        return await super().get(conversation_id)


async def asked(*, is_group: bool = True) -> tuple[Store, Participants]:
    store = Store()
    await store.create("c-1", ["u-1", "u-2"], 0, is_group=is_group)
    return store, Participants(store, 4.0, lambda: store.now)


async def test_those_who_ask_together_ask_once() -> None:
    store, participants = await asked()
    found = await asyncio.gather(*(participants.of("c-1") for _ in range(50)))
    assert {tuple(users) for users in found} == {("u-1", "u-2")}
    assert store.questions == 1


async def test_what_is_known_is_used_then_refreshed_behind_then_waited_for() -> None:
    store, participants = await asked()
    assert participants.known("c-1") is None
    assert tuple(await participants.of("c-1")) == ("u-1", "u-2")
    for now, is_known, questions in [(1.9, True, 1), (2.1, True, 2), (4.0, True, 2), (9.0, False, 3)]:
        store.now = now
        assert (participants.known("c-1") is not None) is is_known
        await until(lambda questions=questions: store.questions == questions)
        await stays(lambda questions=questions: store.questions == questions, 0.01)


async def test_a_conversation_that_is_no_group_is_asked_for_once() -> None:
    store, participants = await asked(is_group=False)
    await participants.of("c-1")
    store.now = 1e9
    assert tuple(participants.known("c-1") or ()) == ("u-1", "u-2")
    await asyncio.sleep(0)
    assert store.questions == 1
    participants.forget("c-1")
    assert participants.known("c-1") is None


async def test_a_conversation_that_is_not_there_yet_is_asked_for_again() -> None:
    store, participants = await asked()
    assert tuple(await participants.of("c-2")) == ()
    await store.create("c-2", ["u-3"], 0)
    store.now = 5.0
    assert tuple(await participants.of("c-2")) == ("u-3",)


async def test_while_the_store_is_away_the_last_answer_stands_but_not_one_that_was_forgotten() -> None:
    store, participants = await asked()
    await participants.of("c-1")
    store.available, store.now = False, 100.0
    assert tuple(await participants.of("c-1")) == ("u-1", "u-2")
    participants.forget("c-1")
    with pytest.raises(StoreUnavailable):
        await participants.of("c-1")
    with pytest.raises(StoreUnavailable):
        await participants.of("c-2")
    store.available = True
    assert tuple(await participants.of("c-1")) == ("u-1", "u-2")
    assert tuple(await participants.of("c-2")) == ()


async def test_a_look_up_from_before_somebody_came_is_not_remembered() -> None:
    store, participants = await asked()
    before = asyncio.create_task(participants.of("c-1"))
    await asyncio.sleep(0)
    found = await MemoryConversations.get(store, "c-1")
    assert found is not None
    get, reached, go_on = store.get, asyncio.Event(), asyncio.Event()

    async def slow(conversation_id: str) -> Conversation | None:
        reached.set()
        await go_on.wait()
        return found

    await before
    participants.forget("c-1")
    store.get = slow  # type: ignore[method-assign]
    earlier = asyncio.create_task(participants.of("c-1"))
    await reached.wait()
    store.members["c-1"] = replace(found, members=(*found.members, Member("u-3", 1)))
    participants.forget("c-1")
    store.get = get  # type: ignore[method-assign]
    assert tuple(await participants.of("c-1")) == ("u-1", "u-2", "u-3")
    go_on.set()
    await earlier
    assert tuple(participants.known("c-1") or ()) == ("u-1", "u-2", "u-3")


async def test_who_is_heard_of_is_bounded() -> None:
    heard = Heard(10)
    for n in range(100):
        heard.add(f"c-{n}", "telegram:1")
        heard.add(f"c-{n}", "telegram:2")
    assert len(heard) == 10
    assert heard.of("c-99") == ["telegram:1", "telegram:2"]
    heard.drop("c-99")
    assert len(heard) == 8
