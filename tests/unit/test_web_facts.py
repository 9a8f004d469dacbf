"""What the API brings to the log by itself: DELIVERED and READ inside the system."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from domain.errors import LogUnavailable
from domain.ports import Appended, LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status, delivery_of
from support.history import history_over
from support.waiting import stays, until
from web.history.recent import RecentMessages
from web.messages.facts import StatusWriter

POSITION = LogPosition(1_000, 7)
ONE = MessageAccepted("m-1", "c-1", "u-1", "u-2", "hi", None, ("internal:u-2",), ("u-2",))
ALL = MessageAccepted("m-2", "c-1", "u-1", "", "hi", None, ("internal:u-2", "whatsapp:+5511999990000"), ("u-2", "u-3"))


class Log:
    def __init__(self) -> None:
        self.available = True
        self.refused = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.facts: list[StatusChanged] = []

    async def append(self, message: MessageAccepted, headers: Mapping[str, bytes]) -> Appended:
        raise NotImplementedError

    async def report(self, change: StatusChanged, headers: Mapping[str, bytes]) -> None:
        await self.gate.wait()
        if not self.available:
            self.refused += 1
            raise LogUnavailable("switched off")
        self.facts.append(change)


class World:
    def __init__(self) -> None:
        self.log = Log()
        self.recent = RecentMessages(10)
        self.writer = StatusWriter(self.log, history_over(self.recent))

    def word(self, message: MessageAccepted, address: str = "internal:u-2") -> Status:
        known = self.recent.get(message.message_id)
        assert known is not None
        return delivery_of(known.state, address).status


async def test_a_delivery_inside_the_system_becomes_a_fact_with_the_messages_place() -> None:
    world = World()
    world.writer.delivered(ONE, POSITION, "u-2", 1_050)
    await until(lambda: world.log.facts)
    assert world.log.facts == [StatusChanged("m-1", "c-1", "DELIVERED", 1_050, 1_000, 7, "internal")]
    await until(lambda: world.recent.get("m-1"))
    assert world.word(ONE) is Status.DELIVERED


async def test_of_several_recipients_the_fact_names_the_one() -> None:
    world = World()
    world.writer.delivered(ALL, POSITION, "u-2", 1_050)
    await until(lambda: world.recent.get("m-2"))
    (fact,) = world.log.facts
    assert (fact.recipient_id, fact.recipient_count) == ("internal:u-2", 2)
    assert world.word(ALL) is Status.DELIVERED
    assert world.word(ALL, "whatsapp:+5511999990000") is Status.ACCEPTED


async def test_many_connections_of_a_user_are_one_delivery() -> None:
    world = World()
    world.log.gate.clear()
    for _ in range(5):
        world.writer.delivered(ONE, POSITION, "u-2", 1_050)
    world.log.gate.set()
    await until(lambda: world.recent.get("m-1"))
    world.writer.delivered(ONE, POSITION, "u-2", 1_060)
    await asyncio.sleep(0)
    assert len(world.log.facts) == 1


@pytest.mark.parametrize("user_id", ["u-1", "u-3", "stranger"])
async def test_who_is_reached_elsewhere_or_not_at_all_has_no_delivery_here(user_id: str) -> None:
    world = World()
    world.writer.delivered(ALL, POSITION, user_id, 1_050)
    await stays(lambda: world.log.facts == [])


async def test_a_log_that_is_away_costs_the_fact_and_nothing_else() -> None:
    world = World()
    world.log.available = False
    world.writer.delivered(ONE, POSITION, "u-2", 1_050)
    await until(lambda: world.log.refused)
    world.log.available = True
    world.writer.delivered(ONE, POSITION, "u-2", 1_060)
    await until(lambda: world.log.facts)


async def test_reading_is_durable_when_it_is_answered_and_the_first_time_stays() -> None:
    world = World()
    first = await world.writer.read(ONE, POSITION, "internal:u-2", 1_100, {})
    second = await world.writer.read(ONE, POSITION, "internal:u-2", 1_200, {})
    assert (first.status, first.read_at_ms, second.read_at_ms) == (Status.READ, 1_100, 1_100)
    world.log.available = False
    with pytest.raises(LogUnavailable):
        await world.writer.read(ALL, POSITION, "internal:u-2", 1_300, {})
