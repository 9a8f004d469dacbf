"""The mirror and people who write: conversations, members, files, address books."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from agents.mirror import Mirroring
from agents.mirror_contacts import mirror_contacts
from agents.mirror_inbound import InboundMirror
from app.faust.stream_app import StreamApp
from app.kafka.codec import decode, encode
from domain.direct import direct_id
from domain.files import File, FileMetadata
from domain.inbound import ContactChanged, Person
from domain.kinds import INBOUND
from domain.ports import NewParticipant, User
from domain.records import DeadLetter, MessageAccepted
from fakes.contacts import MemoryContacts
from fakes.file_records import MemoryFileRecords
from fakes.stores import MemoryConversations, MemoryMessages, MemoryUsers
from support.fakes import FakeApp, batch_of
from support.waiting import stays, until

ANA = "whatsapp:+5511999990000"
CONVERSATION = "inbound:1"
WRITTEN = MessageAccepted(
    "m-1", CONVERSATION, ANA, "", "oi", direction=INBOUND, account="shop", members=("user:Maria", "u-2", ANA)
)
FILE = FileMetadata("a.png", 3, "image/png", f"sha256:{'0' * 64}", "inbound%3A1/f-1.png")


@dataclass
class World:
    """A mirror on fakes, with the user maria."""

    app: FakeApp = field(default_factory=lambda: FakeApp(mirror_linger_seconds=0.01))
    messages: MemoryMessages = field(default_factory=MemoryMessages)
    conversations: MemoryConversations = field(default_factory=MemoryConversations)
    users: MemoryUsers = field(default_factory=MemoryUsers)
    files: MemoryFileRecords = field(default_factory=MemoryFileRecords)

    def __post_init__(self) -> None:
        self.inbound = InboundMirror(self.conversations, self.users, self.files)
        self.mirroring = Mirroring(cast(StreamApp, self.app), self.messages, self.inbound)

    async def mirror(self, *messages: MessageAccepted) -> None:
        done = len(self.app.consumer.completed)
        await self.mirroring.add(batch_of("messages", *map(encode, messages), start=done * 10))
        await until(lambda: len(self.app.consumer.completed) == done + 1)


@pytest.fixture
async def world() -> World:
    world = World()
    await world.users.create(User("u-1", "maria", "x", None, 1))
    return world


async def test_a_persons_first_message_makes_the_conversation_with_its_members(world: World) -> None:
    await world.mirror(WRITTEN)
    assert await world.conversations.participants(CONVERSATION) == sorted(["u-1", "u-2", ANA])
    assert (await world.conversations.of_user("u-1", 10))[0].conversation_id == CONVERSATION
    stored = await world.messages.get("m-1")
    assert stored is not None
    assert stored.message.is_inbound


async def test_later_members_join_and_nobody_leaves(world: World) -> None:
    await world.mirror(WRITTEN)
    await world.conversations.join([NewParticipant(CONVERSATION, "u-9", 5)])
    await world.mirror(WRITTEN, replace(WRITTEN, message_id="m-2", members=("u-3", ANA)))
    await world.mirror(replace(WRITTEN, message_id="m-3", members=("u-3", ANA)))
    assert await world.conversations.participants(CONVERSATION) == sorted(["u-1", "u-2", "u-3", "u-9", ANA])


async def test_a_conversation_that_exists_for_another_reason_is_left_alone(world: World) -> None:
    await world.conversations.create("c-1", ["u-1", ANA], 1)
    await world.mirror(replace(WRITTEN, conversation_id="c-1", members=()))
    assert await world.conversations.participants("c-1") == sorted(["u-1", ANA])


async def test_an_inbox_that_nobody_is_called_is_told_and_the_others_get_in(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await world.mirror(replace(WRITTEN, members=("user:nobody", "user:maria", ANA)))
    assert await world.conversations.participants(CONVERSATION) == sorted(["u-1", ANA])
    assert "user:nobody" in caplog.text
    await world.users.create(User("u-5", "nobody", "x", None, 1))
    await world.mirror(replace(WRITTEN, message_id="m-2", members=("user:nobody", "user:maria", ANA)))
    assert await world.conversations.participants(CONVERSATION) == sorted(["u-1", "u-5", ANA])


async def test_the_file_of_a_persons_message_is_a_file_of_the_conversation_however_often(world: World) -> None:
    message = replace(WRITTEN, file_id="f-1", file=FILE)
    await world.mirror(message)
    await world.mirror(message)
    found = await world.files.get("f-1")
    assert isinstance(found, File)
    assert (found.conversation_id, found.uploader_id, found.metadata) == (CONVERSATION, ANA, FILE)


async def test_while_the_store_is_away_the_message_waits_with_its_conversation(world: World) -> None:
    world.conversations.available = False
    adding = asyncio.create_task(world.mirror(WRITTEN))
    await until(lambda: world.app.blocked_on == "cassandra")
    assert await world.messages.get("m-1") is None
    world.conversations.available = True
    await adding
    assert await world.conversations.participants(CONVERSATION) is not None


def contact(at_ms: int, conversation_id: str = "c-1") -> bytes:
    person = Person("+5511999990000", "BR.1")
    return encode(ContactChanged("whatsapp", "shop", ANA, conversation_id, "BR.1", person, at_ms, False, at_ms))


async def test_address_books_reach_the_store_the_later_word_wins() -> None:
    app, store = FakeApp(), MemoryContacts()
    batch = batch_of("whatsapp-contacts", contact(3), contact(2), b"poison", contact(1, "c-2"))
    writes = await mirror_contacts(cast(StreamApp, app), store, [batch])
    assert writes is not None
    assert len(writes) == 1
    for identifier in ("BR.1", "+5511999990000"):
        (known,) = await store.of("whatsapp", identifier)
        assert (known.at_ms, known.conversation_id) == (3, "c-1")


async def test_a_contact_that_cassandra_refuses_is_a_dead_letter_and_the_others_are_stored() -> None:
    class Picky(MemoryContacts):
        async def write(self, changes: Sequence[ContactChanged]) -> None:
            if any(change.conversation_id == "refused" for change in changes):
                raise ValueError("refused")
            await super().write(changes)

    app, store = FakeApp(), Picky()
    batch = batch_of("whatsapp-contacts", contact(3), contact(4, "refused"), contact(1, "c-2"))
    writes = await mirror_contacts(cast(StreamApp, app), store, [batch])
    assert writes is not None
    assert len(writes) == 1
    ((known,), (letter,)) = await store.of("whatsapp", "BR.1"), app.batch_producer.on("dead-letters")
    assert known.at_ms == 3
    assert decode(letter, DeadLetter).offset == 1


async def test_address_books_wait_for_the_store_unless_their_partition_went_elsewhere() -> None:
    app, store = FakeApp(), MemoryContacts()
    store.available = False
    task = asyncio.create_task(
        mirror_contacts(cast(StreamApp, app), store, [batch_of("whatsapp-contacts", contact(3))])
    )
    await until(lambda: app.blocked_on == "cassandra")
    await stays(lambda: not task.done(), 0.05)
    app.consumer.epoch += 1
    assert await task is None


async def test_a_direct_conversation_whose_api_process_ended_is_written_with_its_sides(world: World) -> None:
    there = direct_id("u-1", ANA)
    await world.mirror(MessageAccepted("m-1", there, "u-1", ANA, "hi"), MessageAccepted("m-2", there, "u-1", ANA, "!"))
    found = await world.conversations.get(there)
    assert found is not None
    assert (found.participants, found.created_by) == (sorted(["u-1", ANA]), "u-1")
    assert [one.conversation_id for one in await world.conversations.of_user("u-1", 10)] == [there]


async def test_a_direct_conversation_that_is_there_is_not_written_again(world: World) -> None:
    there = direct_id("u-1", "u-2")
    await world.conversations.begin_direct(there, ["u-1", "u-2"], 5, "u-2")
    await world.mirror(MessageAccepted("m-1", there, "u-1", "u-2", "hi"))
    assert [one.joined_at_ms for one in await world.conversations.of_user("u-1", 10)] == [5]


@pytest.mark.parametrize("recipient", ["u-3", "", "whatsapp:+5511999990009"])
async def test_a_message_that_names_other_sides_than_its_id_begins_nothing(world: World, recipient: str) -> None:
    there = direct_id("u-1", "u-2")
    await world.mirror(MessageAccepted("m-1", there, "u-1", recipient, "hi"))
    assert await world.conversations.get(there) is None
    assert await world.messages.get("m-1") is not None
