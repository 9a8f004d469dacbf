"""The channel is asked who wrote where its webhooks name an id alone, and told that a pressed button arrived."""

from __future__ import annotations

import asyncio

import pytest

from app.kafka.codec import decode
from domain.errors import Unavailable
from domain.inbound import InboundEvent, Person
from support.people import Inbound, Phone, message
from support.waiting import until

NAMELESS = {"user_id": "900"}


class Telling(Phone):
    """A connector that tells profiles and takes acknowledgements."""

    def __init__(self, *profiles: Person | Exception | None) -> None:
        super().__init__()
        self.profiles = list(profiles)
        self.asked: list[str] = []
        self.acknowledged: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def profile(self, user_id: str) -> Person | None:
        self.asked.append(user_id)
        await self.gate.wait()
        answer = self.profiles.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def acknowledge(self, provider_id: str) -> None:
        self.acknowledged.append(provider_id)


def world_of(phone: Phone) -> Inbound:
    world = Inbound()
    world.phone = phone
    world.start()
    return world


def identities(world: Inbound) -> list[bytes]:
    found = world.producer.on("whatsapp-inbound")
    return [value for value in found if decode(value, InboundEvent).happening == "identity"]


async def test_the_handle_of_who_wrote_is_learned_once() -> None:
    phone = Telling(Person(user_id="900", handle="@maria", name="Maria"))
    world = world_of(phone)
    await world.post(message("w-1", person=NAMELESS))
    assert world.messages()[0].content == "oi"  # it waits for no profile
    await until(lambda: len(identities(world)) == 1)
    await world.take(*identities(world))
    contact = world.contact()
    assert (contact.person.handle, contact.person.name, contact.to) == ("@maria", "Maria", "900")
    assert contact.conversation_id == world.messages()[0].conversation_id
    await world.post(message("w-2", person=NAMELESS))
    assert phone.asked == ["900"]
    assert world.messages()[1].sender_name == "Maria"


async def test_nobody_is_asked_about_a_person_with_a_handle() -> None:
    phone = Telling()
    world = world_of(phone)
    await world.post(message("w-1", person={"user_id": "900", "handle": "@maria"}))
    assert phone.asked == []


@pytest.mark.parametrize("answer", [None, Person(user_id="900"), RuntimeError("a fault of the connector")])
async def test_who_tells_nothing_is_not_asked_again_at_once(answer: Person | Exception | None) -> None:
    phone = Telling(answer)
    world = world_of(phone)
    for n in range(3):
        await world.post(message(f"w-{n}", person=NAMELESS))
        await asyncio.sleep(0)
    assert phone.asked == ["900"]
    assert identities(world) == []
    assert len(world.messages()) == 3


async def test_after_an_outage_the_next_message_asks_again() -> None:
    phone = Telling(Unavailable("away"), Person(user_id="900", handle="@maria"))
    world = world_of(phone)
    await world.post(message("w-1", person=NAMELESS))
    await until(lambda: not phone.profiles[1:])
    await world.post(message("w-2", person=NAMELESS))
    await until(lambda: len(identities(world)) == 1)
    assert phone.asked == ["900", "900"]


async def test_questions_end_with_the_partitions() -> None:
    phone = Telling(Person(user_id="900", handle="@maria"))
    phone.gate.clear()
    world = world_of(phone)
    await world.post(message("w-1", person=NAMELESS))
    await until(lambda: phone.asked == ["900"])
    await world.people.drain()
    phone.gate.set()
    await asyncio.sleep(0)
    assert identities(world) == []


async def test_a_pressed_button_is_acknowledged_and_other_messages_are_not() -> None:
    phone = Telling()
    world = world_of(phone)
    await world.post(message("w-1"), message("w-2", "Yes", kind="button_reply", body={"id": "y", "title": "Yes"}))
    await until(lambda: phone.acknowledged == ["w-2"])
    world = world_of(Phone())
    await world.post(message("w-3", "Yes", kind="button_reply", body={"id": "y", "title": "Yes"}))
    assert len(world.messages()) == 1
