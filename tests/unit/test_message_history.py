"""One history of Cassandra, memory and the log: what each read answers while one of the three is behind or away."""

from __future__ import annotations

import pytest

from domain.errors import NotFound, StoreUnavailable, Unavailable
from domain.ids import keyed_id, uuid7
from domain.ports import LogPosition, MirrorEntry, StoredMessage
from domain.records import MessageAccepted, StatusChanged
from domain.status import Fact
from fakes.message_log import MemoryLog, MemoryTailer, partition_of
from fakes.stores import MemoryMessages
from web.history.doubts import UNSETTLED_SECONDS
from web.history.recent import RecentMessages
from web.history.service import LookUp, MessageHistory

NOW_MS = 1_763_848_800_000
OLD_MS = NOW_MS - int(UNSETTLED_SECONDS * 1000)
CONVERSATION = "c-1"


def message_of(offset: int, made_ms: int = OLD_MS) -> MessageAccepted:
    message_id = uuid7(made_ms, offset.to_bytes(10, "big"))
    return MessageAccepted(message_id, CONVERSATION, "u-1", "whatsapp:+5511999990000", f"message {offset}", None)


def position_of(offset: int) -> LogPosition:
    return LogPosition(OLD_MS + offset, offset)


def fact_of(message: MessageAccepted, offset: int, word: str) -> StatusChanged:
    at = position_of(offset)
    return StatusChanged(message.message_id, CONVERSATION, word, NOW_MS, at.accepted_at_ms, at.offset, "whatsapp")


class World:
    """The history of a process that remembers ``limit`` messages, with what it reads from."""

    def __init__(self, limit: int = 100) -> None:
        self.log, self.store, self.recent = MemoryLog(), MemoryMessages(), RecentMessages(limit)
        self.tailer = MemoryTailer(self.recent)
        self.seconds = 1_000.0
        self.history = MessageHistory(
            log=self.log,
            reader=self.store,
            recent=self.recent,
            tailer=self.tailer,
            partitions=6,
            clock_ms=lambda: NOW_MS,
            monotonic=lambda: self.seconds,
        )
        self.partition = partition_of(message_of(0))

    def remember(self, *offsets: int) -> list[MessageAccepted]:
        """Add the messages of ``offsets`` to memory."""
        made = [message_of(offset) for offset in offsets]
        for message, offset in zip(made, offsets, strict=True):
            self.history.add_message(message, position_of(offset), self.partition)
        return made

    async def mirror(self, *offsets: int, words: tuple[str, ...] = ()) -> list[MessageAccepted]:
        """Write the messages of ``offsets`` to Cassandra, each with the facts ``words``."""
        made = [message_of(offset) for offset in offsets]
        facts = [Fact(word, NOW_MS) for word in words]
        entries = [
            MirrorEntry(message.message_id, CONVERSATION, position_of(offset), message, facts)
            for message, offset in zip(made, offsets, strict=True)
        ]
        await self.store.write(entries)
        return made

    def has_mirrored(self, messages: int, facts: int = 0) -> None:
        """Let the mirror commit these offsets, and time pass until it is asked again."""
        self.tailer.mirrored_messages = {self.partition: messages}
        self.tailer.mirrored_facts = {self.partition: facts}
        self.seconds += 1

    async def texts(self, *, after: int | None = None, limit: int = 10, descending: bool = False) -> list[str]:
        """Return the contents of a page."""
        edge = None if after is None else position_of(after)
        page = await self.history.page(CONVERSATION, after=edge, offset=0, limit=limit, descending=descending)
        return [stored.message.content for stored in page.messages]


async def test_a_message_of_which_memory_knows_everything_is_found_without_cassandra_and_kafka() -> None:
    world = World()
    world.recent.complete_from[world.partition] = 0
    (message,) = world.remember(1)
    world.history.add_fact(fact_of(message, 1, "SENT"))
    world.store.available = world.tailer.available = False
    found = await world.history.find(message.message_id)
    assert (found.message, found.position, found.state.status) == (message, position_of(1), "SENT")


async def test_a_message_in_cassandra_is_found_with_what_memory_knows_besides() -> None:
    world = World()
    (message,) = await world.mirror(1, words=("SENT",))
    world.history.add_fact(fact_of(message, 1, "DELIVERED"))
    assert (await world.history.find(message.message_id)).state.status == "DELIVERED"


async def test_a_message_of_which_memory_may_lack_facts_is_looked_up_in_cassandra_too() -> None:
    world = World()
    await world.mirror(1, words=("READ",))
    (message,) = world.remember(1)
    assert (await world.history.find(message.message_id)).state.status == "READ"


async def test_a_message_that_another_process_accepted_is_found_in_the_log_even_without_cassandra() -> None:
    world, message = World(), message_of(1, NOW_MS)
    world.tailer.unseen.append((message, position_of(1)))
    world.store.available = False
    assert (await world.history.find(message.message_id)).message == message


async def test_without_cassandra_a_message_that_the_log_lacks_too_is_not_called_missing() -> None:
    world = World()
    world.store.available = False
    with pytest.raises(StoreUnavailable):
        await world.history.find(message_of(1).message_id)


async def test_a_message_is_missing_only_if_nobody_may_still_write_it() -> None:
    world = World()
    with pytest.raises(NotFound):
        await world.history.find(message_of(1, OLD_MS).message_id)
    with pytest.raises(NotFound):
        await world.history.find("no id")
    with pytest.raises(Unavailable, match="on its way"):
        await world.history.find(message_of(1, NOW_MS).message_id)


async def test_after_the_log_could_not_be_read_no_message_is_missing_for_a_while() -> None:
    world, message_id = World(), message_of(1).message_id
    world.tailer.available = False
    with pytest.raises(Unavailable, match="cannot be read right now"):
        await world.history.find(message_id)
    world.tailer.available = True
    with pytest.raises(Unavailable, match="on its way"):
        await world.history.find(message_id)
    world.seconds += UNSETTLED_SECONDS
    with pytest.raises(NotFound):
        await world.history.find(message_id)


async def test_an_evicted_message_is_not_called_missing_until_the_mirror_has_passed_it() -> None:
    world = World(limit=1)
    gone, _ = world.remember(1, 2)
    with pytest.raises(Unavailable, match="may not be in the history yet"):
        await world.history.find(gone.message_id)
    await world.mirror(1)
    world.has_mirrored(2)
    assert (await world.history.find(gone.message_id)).message == gone


async def test_a_status_is_not_shown_while_an_evicted_fact_is_in_neither_view() -> None:
    world = World(limit=1)
    (gone,) = await world.mirror(1)
    world.recent.add_logged_fact(fact_of(gone, 1, "READ"), world.partition, 7)
    world.remember(2)
    world.has_mirrored(2, facts=7)
    with pytest.raises(Unavailable, match="status"):
        await world.history.find(gone.message_id)
    await world.mirror(1, words=("READ",))
    world.has_mirrored(2, facts=8)
    assert (await world.history.find(gone.message_id)).state.status == "READ"


async def test_a_page_has_the_messages_of_both_views_once_and_in_order() -> None:
    world = World()
    await world.mirror(1, 2, 3)
    world.remember(3, 4, 5)
    assert await world.texts() == [f"message {n}" for n in (1, 2, 3, 4, 5)]
    assert await world.texts(after=2, limit=2) == ["message 3", "message 4"]
    assert await world.texts(after=4, descending=True, limit=2) == ["message 3", "message 2"]


async def test_a_page_waits_for_what_other_processes_accepted() -> None:
    world = World()
    world.remember(1)
    world.tailer.unseen.append((message_of(2), position_of(2)))
    assert await world.texts() == ["message 1", "message 2"]


async def test_without_kafka_a_process_that_has_caught_up_once_goes_on_and_a_new_one_does_not() -> None:
    world = World()
    world.remember(1)
    world.tailer.available = False
    assert await world.texts() == ["message 1"]
    world.tailer.has_caught_up = False
    with pytest.raises(Unavailable, match="cannot be read yet"):
        await world.texts()


async def test_messages_that_are_in_neither_view_are_not_counted_as_none() -> None:
    world = World(limit=1)
    world.remember(1, 2)
    with pytest.raises(Unavailable):
        await world.history.require_all_messages([CONVERSATION])
    with pytest.raises(Unavailable):
        await world.texts()
    await world.mirror(1)
    world.has_mirrored(2)
    await world.history.require_all_messages([CONVERSATION])
    assert await world.texts() == ["message 1", "message 2"]


async def test_a_look_up_does_not_fail_and_says_whether_it_is_certain() -> None:
    world = World(limit=1)
    nobody = message_of(9).message_id
    assert await world.history.look_up(nobody, 1.0) == LookUp(None, True)
    (known,) = world.remember(1)
    found = LookUp(StoredMessage(known, position_of(1), world.recent.get(known.message_id).state), True)  # type: ignore[union-attr]
    assert await world.history.look_up(known.message_id, 1.0) == found
    world.remember(2)
    assert await world.history.look_up(known.message_id, 1.0) == LookUp(None, False)
    world.store.available = False
    assert await world.history.look_up(nobody, 1.0) == LookUp(None, True)
    world.tailer.available = False
    assert await world.history.look_up(nobody, 1.0) == LookUp(None, False)


async def test_the_latest_facts_are_waited_for_as_far_as_they_can_be_read() -> None:
    world = World()
    (message,) = await world.mirror(1, words=("SENT",))
    stored = await world.history.find(message.message_id)
    world.tailer.unseen_facts.append(fact_of(message, 1, "READ"))
    world.tailer.available = False
    assert (await world.history.with_latest_facts(stored)).state.status == "SENT"
    world.tailer.available = True
    assert (await world.history.with_latest_facts(stored)).state.status == "READ"


def test_what_the_process_knows_without_asking() -> None:
    world = World()
    first, second = world.remember(1, 2)
    fact_only = message_of(3)
    world.history.add_fact(fact_of(fact_only, 3, "SENT"))
    assert world.history.known(fact_only.message_id) is None
    state = world.history.known_state(fact_only.message_id)
    assert state is not None
    assert state.status == "SENT"
    assert world.history.known_state(message_of(4).message_id) is None
    assert world.history.latest(CONVERSATION, None) == (2, position_of(2))
    assert world.history.latest(CONVERSATION, position_of(1)) == (1, position_of(2))
    assert world.history.latest("another", None) == (0, None)
    known = world.history.known(second.message_id)
    assert known is not None
    assert (known.message, known.position) == (second, position_of(2))
    assert world.history.is_first(first.message_id, position_of(1))


def test_of_two_records_of_one_key_the_one_that_is_remembered_is_the_message() -> None:
    world, message_id = World(), keyed_id("u-1", "key")
    message = MessageAccepted(message_id, CONVERSATION, "u-1", "whatsapp:+5511999990000", "hi", None)
    assert world.history.is_first(message_id, position_of(2))
    world.history.add_message(message, position_of(1), world.partition)
    assert world.history.is_first(message_id, position_of(1))
    assert not world.history.is_first(message_id, position_of(2))
