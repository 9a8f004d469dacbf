"""Addresses that join through one process, as another one sees it: what is known there, and what is on record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from domain.errors import StoreUnavailable
from domain.ports import NewParticipant
from support.api import Api

PHONE = "whatsapp:+5511999990000"
Two = tuple[Any, Any]


class Person:
    """A user of both processes."""

    def __init__(self, session: dict[str, Any]) -> None:
        self.user_id, self.token = session["user_id"], session["token"]

    async def say(self, api: Api, recipient: str | None = None, conversation_id: str = "c-1") -> tuple[str, ...]:
        """Send a message through ``api``; return to whom it goes."""
        body = {"content": "hi", "recipient_id": recipient, "conversation_id": conversation_id}
        answer = await api.call("POST", "/v1/messages", body, self.token)
        assert answer.status == 202, await answer.text()
        return tuple(api.log.records[-1][0].targets)


@pytest.fixture
async def ana(two: Two) -> Person:
    return Person(await two[0].login(await two[0].register("ana")))


def follow(api: Api) -> None:
    """Let the process read the last message of the log."""
    message, position, _ = api.log.records[-1]
    api.services.live.hub.on_message(0, position.offset, message, position)


def dies_before_it_joins(api: Api) -> None:
    """Nothing that the process has yet to write is written."""

    async def join(joins: Sequence[NewParticipant]) -> None:
        raise StoreUnavailable("this process was killed")

    api.services.conversation_opener._joins._store = type("Killed", (), {"join": staticmethod(join)})()


async def on_record(api: Api, conversation_id: str = "c-1") -> list[str]:
    return list(await api.conversations.participants(conversation_id) or ())


async def test_an_address_is_among_everyone_although_the_other_process_has_yet_to_write_it(
    two: Two, ana: Person
) -> None:
    one, other = two
    await ana.say(one)
    dies_before_it_joins(one)
    await ana.say(one, PHONE)
    follow(other)  # which knows nothing of the conversation yet
    assert await ana.say(other) == (PHONE,)
    assert await ana.say(other) == (PHONE,)


async def test_an_address_is_among_everyone_right_after_the_message_that_let_it_in_was_accepted(
    two: Two, ana: Person
) -> None:
    one, other = two
    await ana.say(other)
    await ana.say(other)  # it remembers who takes part
    dies_before_it_joins(one)
    await ana.say(one, PHONE)
    other.tailer.took_message = lambda message: follow(other)
    assert await ana.say(other) == (PHONE,)


async def test_the_next_message_to_an_address_lets_it_join_although_the_process_before_was_killed(
    two: Two, ana: Person
) -> None:
    one, other = two
    await ana.say(other)
    await ana.say(other)
    dies_before_it_joins(one)
    await ana.say(one, PHONE)
    follow(other)
    assert PHONE not in await on_record(other)
    await ana.say(other, PHONE)
    await other.services.conversation_opener.close(5)
    assert PHONE in await on_record(other)


async def test_an_address_that_a_message_to_everyone_reached_is_on_record_then(two: Two, ana: Person) -> None:
    one, other = two
    await ana.say(other)
    dies_before_it_joins(one)
    await ana.say(one, PHONE)
    follow(other)
    await ana.say(other)
    await other.services.conversation_opener.close(5)
    assert PHONE in await on_record(other)


async def test_what_the_store_refused_is_written_with_the_next_message(two: Two, ana: Person) -> None:
    one, _ = two
    await ana.say(one)
    join = one.conversations.join

    async def refuse(joins: Sequence[NewParticipant]) -> None:
        raise ValueError("no such column")

    one.conversations.join = refuse
    await ana.say(one, PHONE)
    await one.services.conversation_opener.close(5)
    one.conversations.join = join
    await ana.say(one, PHONE)
    await one.services.conversation_opener.close(5)
    assert PHONE in await on_record(one)


async def test_no_more_than_may_take_part_join_at_once(two: Two, ana: Person) -> None:
    one, _ = two
    await ana.say(one)
    one.services.live.participants.forget("c-1")
    get, go_on = one.conversations.get, asyncio.Event()

    async def slow(conversation_id: str) -> Any:
        await go_on.wait()
        return await get(conversation_id)

    one.conversations.get = slow
    enter = one.services.conversation_opener.open
    entering = asyncio.gather(*(enter("c-1", ana.user_id, f"telegram:{n + 1}") for n in range(300)))
    await asyncio.sleep(0)
    go_on.set()
    await entering
    await one.services.conversation_opener.close(5)
    assert len(await on_record(one)) == 256
    assert len(await ana.say(one)) == 255


async def test_everyone_in_a_group_is_who_is_in_it_now_whichever_process_let_them_in(two: Two, ana: Person) -> None:
    one, other = two
    bob = Person(await one.login(await one.register("bob")))
    group = (await (await one.call("POST", "/v1/groups", {"name": "g"}, ana.token)).json())["group_id"]
    assert await ana.say(other, None, group) == ()
    await one.call("POST", f"/v1/groups/{group}/members", {"user_id": bob.user_id}, ana.token)
    assert await ana.say(other, None, group) == (f"internal:{bob.user_id}",)
    await one.call("POST", f"/v1/groups/{group}/members", {"user_id": PHONE}, ana.token)
    assert set(await ana.say(other, None, group)) == {f"internal:{bob.user_id}", PHONE}
    await one.call("DELETE", f"/v1/groups/{group}/members/{bob.user_id}", token=ana.token)
    assert await ana.say(other, None, group) == (PHONE,)


async def test_while_the_store_is_away_a_group_is_who_was_in_it_last_and_nobody_waits_for_each_message(
    two: Two, ana: Person
) -> None:
    one, _ = two
    group = (await (await one.call("POST", "/v1/groups", {"name": "g", "member_ids": [PHONE]}, ana.token)).json())[
        "group_id"
    ]
    assert await ana.say(one, None, group) == (PHONE,)
    asked = []

    async def away(conversation_id: str) -> Any:
        asked.append(conversation_id)
        raise StoreUnavailable("away")

    one.conversations.get = away
    for _ in range(5):
        assert await ana.say(one, None, group) == (PHONE,)
    assert len(asked) == 1
