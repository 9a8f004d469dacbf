"""What live frames cost while the store is away: counted in lines of code that run, not in seconds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.conversations import Conversation, Member
from domain.errors import StoreUnavailable
from domain.ports import LogPosition
from domain.records import MessageAccepted
from fakes.stores import MemoryUsers
from support.waiting import until
from web.conversations.participants import Participants
from web.conversations.usernames import Usernames
from web.live import hub as hub_module
from web.live.connection import Connection
from web.live.frames import Event
from web.live.hub import MAX_WAITING, MAX_WAITING_BYTES, Hub
from web.live.parked import ParkedEvents


def lines_of(work: Callable[[], object]) -> int:
    """Return how many lines of Python ``work`` runs."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


class Store:
    """Conversations of ``u-1``; those in ``away`` cannot be asked for."""

    def __init__(self) -> None:
        self.is_away = False

    async def get(self, conversation_id: str) -> Conversation | None:
        if self.is_away and conversation_id.startswith("new"):
            raise StoreUnavailable("switched off")
        return Conversation(conversation_id, 1, (Member("u-1", 1, False),), "u-1", None, None, False, 1)


class Wire:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.frames.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


class World:
    """A hub with one connection."""

    def __init__(self) -> None:
        self.store, self.wire, self.closed = Store(), Wire(), 0
        self.hub = Hub(
            Participants(self.store, 60.0),  # type: ignore[arg-type]
            self._usernames(),
            2,
            on_pushed=lambda *_: None,
            on_delivered=lambda *_: None,
        )
        self.hub.reached(0, 0)
        self.connection = Connection("u-1", self.wire, 1 << 20, self._close)
        self.hub.join(self.connection)
        self.offset = 0

    @staticmethod
    def _usernames() -> Usernames:
        usernames = Usernames(MemoryUsers(), lambda: 0.0)
        usernames.learn("u-2", "sender")
        return usernames

    def _close(self, connection: Connection, code: int, reason: str) -> None:
        self.closed = code
        self.hub.leave(connection)

    def message(self, conversation_id: str, content: str = "hi", recipients: Sequence[str] = ()) -> None:
        message = MessageAccepted(
            f"m-{self.offset}", conversation_id, "u-2", "", content, None, tuple(recipients), tuple(recipients)
        )
        self.hub.on_message(0, self.offset, message, LogPosition(1, self.offset))
        self.offset += 1

    async def park(self, count: int) -> None:
        self.store.is_away = True
        for n in range(count):
            self.message(f"new-{n % 50}")
        await until(lambda: self.hub.positions[0] == self.offset)


async def frame_cost(parked: int) -> int:
    world = World()
    world.message("known")
    await until(lambda: world.wire.frames)
    await world.park(parked)
    lines = lines_of(lambda: world.message("known"))
    assert len(world.wire.frames) == 2
    world.hub.stop()
    return lines


async def test_a_frame_costs_the_same_however_many_are_set_aside() -> None:
    few, many = await frame_cost(60), await frame_cost(6_000)
    assert many <= few + 5


async def test_what_was_set_aside_comes_in_its_order_once_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.01)
    world = World()
    await world.park(1_000)
    assert world.hub.cursor()[0] == 0
    assert world.wire.frames == []
    world.store.is_away = False
    await until(lambda: len(world.wire.frames) == 1_000)
    assert world.hub.cursor()[0] == 1_000
    for conversation in range(50):
        mine = [frame for frame in world.wire.frames if b'"new-%d"' % conversation in frame]
        numbers = [int(frame.partition(b'"m-')[2].partition(b'"')[0]) for frame in mine]
        assert numbers == list(range(conversation, 1_000, 50))


async def test_handing_over_costs_as_much_for_each_frame_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.01)

    async def cost(count: int) -> float:
        world = World()
        await world.park(count)
        lines = 0

        def drain() -> None:
            while (event := world.hub._parked.pop("new-0")) is not None:
                world.hub._hand_over(event, ["u-1"], is_late=True)

        lines = lines_of(drain)
        world.hub.stop()
        return lines / (count / 50)

    few, many = await cost(500), await cost(10_000)
    assert many <= few * 1.2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1), st.booleans()), max_size=60))
@example([("a", 0, False), ("b", 0, False), ("c", 0, False), ("b", 0, True), ("a", 0, True)])  # b's goes with a's
def test_the_first_offset_of_each_slot_is_the_least_that_is_set_aside(steps: list[tuple[str, int, bool]]) -> None:
    parked, model, offset = ParkedEvents(), list[Event](), 0
    for conversation_id, log_index, is_pop in steps:
        if is_pop:
            expected = next((event for event in model if event.conversation_id == conversation_id), None)
            assert parked.pop(conversation_id) is expected
            model = [event for event in model if event is not expected]
        else:
            event = Event(log_index, offset, conversation_id, "m", 1, b"{}")
            parked.add(event)
            model.append(event)
            offset += 1
        first = {
            log_index: min(e.offset for e in model if e.log_index == log_index)
            for log_index in {e.log_index for e in model}
        }
        assert dict(parked.first_offsets()) == first
        assert bool(parked) == bool(model)
        assert set(parked.conversations()) == {event.conversation_id for event in model}


async def test_waiting_frames_are_bounded_by_their_bytes_as_well() -> None:
    world = World()
    world.store.is_away = True
    people = [f"internal:{n:036d}" for n in range(256)]
    sent = 0
    while not world.closed and sent < MAX_WAITING:
        world.message("new-1", "x" * 10_000, people)
        sent += 1
    assert world.closed == 1013
    assert sent < MAX_WAITING_BYTES / 20_000
    assert (world.hub._waiting, world.hub._waiting_bytes) == (0, 0)
    world.hub.stop()


async def test_marks_do_not_pile_up_behind_a_look_up() -> None:
    world = World()
    world.store.is_away = True
    world.message("new-1")
    for offset in range(1_000):
        world.hub.reached(0, offset)
    assert len(world.hub._queues[0].waiting) == 2
    await asyncio.sleep(0)
    world.hub.stop()


async def test_a_change_is_wanted_if_a_participant_is_connected_or_may_be() -> None:
    world = World()
    assert world.hub.wants("known")  # its participants are not known yet
    await until(lambda: world.hub._participants.known("known") is not None)
    assert world.hub.wants("known")
    world.hub.leave(world.connection)
    assert not world.hub.wants("known")
    stranger = Connection("u-9", world.wire, 1 << 20, world._close)
    world.hub.join(stranger)
    assert not world.hub.wants("known")
    assert world.hub.wants("new")


async def test_who_comes_while_a_partition_waits_begins_after_what_was_read_for_nobody() -> None:
    world = World()
    world.store.is_away = True
    world.message("new")  # it waits for its participants
    world.hub.reached(0, 1)
    world.hub.reached(2, 5)  # facts that nobody wanted
    late = Connection("u-1", Wire(), 1 << 20, world._close)
    world.hub.join(late)
    assert late.start is not None
    assert late.start.offsets == [1, 0, 5, 0]
    assert world.hub.positions.offsets == [0, 0, 0, 0]  # the cursors of frames stay before what waits
    world.hub.stop()
