"""Webhooks that are authentic and yet harmful: no element ends a worker, none puts people together who are two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from agents import webhooks as module
from agents.webhooks import Sorter
from app.clock import now_ms
from app.kafka.codec import MAX_RECORD_BYTES
from channels.telegram.webhooks import PROTOCOL as TELEGRAM
from domain.accounts import Account
from domain.inbound import Happening, InboundEvent, Person, WebhookReceived
from domain.people import HOUR_MS
from fakes.contacts import MemoryContacts
from fakes.webhooks import FakeWebhooks
from support.people import ANA, Inbound, message
from support.waiting import until

PHONE = "whatsapp:+5511999990000"


class OneElement(FakeWebhooks):
    """Finds one element with this body in every webhook."""

    def __init__(self, body: Mapping[str, object]) -> None:
        super().__init__()
        self.body = body

    def parse(self, body: bytes, received_at_ms: int) -> Iterator[InboundEvent]:
        yield InboundEvent(Happening.MESSAGE, "w-0", received_at_ms, person=Person("+5511900001111"), body=self.body)
        yield InboundEvent(Happening.MESSAGE, "w-1", received_at_ms, person=Person("+5511900001111"), content="oi")


@pytest.mark.parametrize("date", [999_999_999_999_999_999, -9_223_372_036_854_775_808, 32_503_680_000])
def test_a_time_that_cannot_be_is_that_of_the_request(date: int) -> None:
    body = b'{"update_id":1,"message":{"message_id":1,"date":%d,"text":"x","chat":{"id":5,"type":"private"}}}' % date
    received = WebhookReceived("bot", {}, body, now_ms())
    (element,) = Sorter(TELEGRAM, [Account(channel="telegram", name="bot")]).sort(received)
    assert isinstance(element.record, InboundEvent)
    assert element.record.at_ms == received.at_ms


async def test_a_message_from_the_future_does_not_hide_the_next_ones() -> None:
    world = Inbound()
    await world.post(message("w-1", at_ms=now_ms() + 1_000 * HOUR_MS))
    assert world.messages()[0].sent_at_ms <= now_ms()


@pytest.mark.parametrize("body", [{"number": 2**70}, {"long": "x" * MAX_RECORD_BYTES}])
async def test_an_element_that_kafka_cannot_take_costs_a_letter_and_not_the_worker(body: Mapping[str, object]) -> None:
    world = Inbound()
    world.sorter = Sorter(OneElement(body), world.accounts)
    await world.sort(b"{}", account="shop")
    assert [one.provider_id for one in world.messages()] == ["w-1"]
    (letter,) = world.letters()
    assert letter.topic == "whatsapp-webhooks"
    assert world.metrics.outcomes == {"malformed": 1, "message": 1}


async def test_one_webhook_of_many_elements_waits_for_kafka_before_it_fills_the_producer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Inbound()
    waits: list[int] = []

    async def all_durable(writes: list[object]) -> None:
        waits.append(len(writes))
        writes.clear()
        world.producer.pending_bytes = 0

    monkeypatch.setattr(module, "_all_durable", all_durable)
    world.producer.pending_bytes = module.MAX_PENDING_BYTES + 1
    await world.post(message("w-1"), message("w-2"))
    assert waits == [1]
    assert len(world.messages()) == 2


async def test_a_webhook_of_more_elements_than_any_provider_posts_is_a_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ELEMENTS", 2)
    world = Inbound()
    await world.post(*(message(f"w-{number}") for number in range(3)))
    await world.post(message("w-3"), message("w-4"))
    assert [one.provider_id for one in world.messages()] == ["w-3", "w-4"]
    assert len(world.letters()) == 1


async def test_a_message_of_another_conversation_is_not_quoted() -> None:
    world = Inbound()
    await world.sent("m-1", "c-1", PHONE)
    stranger = {"phone": "+5511900001111"}
    await world.post(message("w-1", target_id="p-m-1", person=stranger))
    await world.post(
        message("w-2", happening="reaction", target_id="p-m-1", person=stranger, kind="reaction", body={"emoji": "x"})
    )
    quoting, reaction = world.messages()
    assert quoting.conversation_id != "c-1"
    assert quoting.reply_to == ""
    assert reaction.body == {"message_id": "", "emoji": "x"}


async def test_somebody_with_a_number_that_was_given_up_is_somebody_else() -> None:
    world = Inbound()
    await world.post(message("w-1"))
    change = {"happening": "identity", "element_id": "i-1", "at_ms": now_ms()}
    await world.post({**change, "person": {"phone": "+5511900001111"}, "former": {"phone": "+5511999990000"}})
    await world.post(message("w-2", person={"phone": "+5511999990000", "name": "Zoe"}))
    await world.post(message("w-3", person={"phone": "+5511900001111"}))
    ana, zoe, later = world.messages()
    assert ana.conversation_id == later.conversation_id != zoe.conversation_id
    assert later.sender_name == "Ana"


async def test_a_send_to_a_former_address_does_not_change_the_person_back() -> None:
    world = Inbound()
    await world.post(message("w-1"))
    conversation = world.messages()[0].conversation_id
    change = {"happening": "identity", "element_id": "i-1", "at_ms": now_ms()}
    await world.post({**change, "person": {"phone": "+5511900001111"}, "former": {"phone": "+5511999990000"}})
    await world.sent("m-1", conversation, PHONE)  # a report that is repeated after a crash names no ``to``
    assert (world.contact().address, world.contact().to) == (PHONE, "+5511900001111")


async def test_a_send_to_a_former_owner_of_a_handle_does_not_give_it_back() -> None:
    world = Inbound()
    maria, other = {"user_id": "BR.1", "handle": "@maria"}, {"user_id": "BR.2", "handle": "@maria"}
    await world.post(message("w-1", person=maria))
    await world.post(message("w-2", person=other))
    conversation = world.messages()[0].conversation_id
    await world.sent("m-1", conversation, "whatsapp:@maria", to="BR.1")
    await world.post(message("w-3", person={"handle": "@maria"}))
    assert world.messages()[2].conversation_id == world.messages()[1].conversation_id


async def test_a_worker_that_ends_leaves_the_batch_to_those_who_wait_for_it() -> None:
    world = Inbound()
    world.phone.files["cat"] = b"a cat"
    await world.post(message("w-1", person=ANA, media=[{"id": "cat", "kind": "image"}]))
    world.producer.held = True
    await until(lambda: len(world.messages()) == 1)
    held = list(world.producer._waiting)
    await world.people.drain()
    assert held
    assert not any(write.future.cancelled() for write in held)


async def test_who_lost_a_number_to_somebody_else_is_written_to_by_another_identifier() -> None:
    world = Inbound()
    await world.post(message("w-1"))
    assert world.contact().to == "+5511999990000"
    await world.post(message("w-2", person={**ANA, "user_id": "BR.99", "name": "Zoe"}))
    ana, zoe = world.messages()
    told = {one.conversation_id: one for one in world.contacts()}
    assert (told[ana.conversation_id].to, told[ana.conversation_id].person.user_id) == ("BR.1", "BR.1")
    assert (told[zoe.conversation_id].to, told[zoe.conversation_id].person.user_id) == ("+5511999990000", "BR.99")
    assert told[zoe.conversation_id].at_ms > told[ana.conversation_id].at_ms


async def test_what_the_former_owner_of_a_number_does_hides_no_word_about_its_owner() -> None:
    """The API finds people by identifier. Once the last one who wrote had the row, also under a lost one."""
    world, book = Inbound(), MemoryContacts()
    number, ana, zoe = "+5511999990000", {"user_id": "BR.1"}, {"user_id": "BR.2"}
    await world.post(message("w-1", person={**ana, "phone": number}))
    renaming = {"happening": "identity", "element_id": "i-1", "at_ms": now_ms()}
    await world.post({**renaming, "person": {"phone": "+5511900001111"}, "former": ana})
    await book.write(world.contacts())
    [found] = await book.of("whatsapp", number)
    assert found.to == "+5511900001111", "while nobody else has it, a former number finds its owner"
    await world.post(message("w-2", person={**zoe, "phone": number}))
    await world.post(message("w-3", person=ana))
    await book.write(world.contacts())
    [found] = await book.of("whatsapp", number)
    assert (found.person.user_id, found.is_taken) == ("BR.2", False)
    [found] = await book.of("whatsapp", "BR.1")
    assert (found.address, found.to, found.is_taken) == (PHONE, "+5511900001111", True)
