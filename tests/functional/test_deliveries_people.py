"""What is known of a person at the call: the reply window, opt-outs, identifiers, and the messages that are quoted."""

from __future__ import annotations

from dataclasses import replace

from app.clock import now_ms
from app.kafka.codec import decode, encode
from app.kafka.partitions import partition_for
from domain.accounts import Account
from domain.inbound import ContactChanged, Person, SentReported
from domain.kinds import LOCATION, REACTION, TEMPLATE, TEXT
from domain.outcomes import Sent
from domain.ports import Receipt
from domain.status import Status
from support.deliveries import Channel, World, failure, requests
from support.fakes import batch_of
from support.waiting import until

MARIA = "whatsapp:+5511999990000"
TEMPLATE_BODY = {"name": "hello", "language": "pt_BR", "parameters": {}}


def world_of_people(*accounts: Account, channel: str = "whatsapp") -> World:
    world = World(*accounts, channel=channel)
    world.channel = Channel(channel=channel, reports_sends=True)
    world.channels = {account.name: world.channel for account in world.accounts}
    world.start()
    return world


def meet(world: World, **fields: object) -> None:
    """Let the agent take what is known of Maria."""
    contact = ContactChanged("whatsapp", "default", MARIA, "c-1", "BR.1502", Person(), now_ms() + 60_000, False, 1_000)
    batch = batch_of("whatsapp-contacts", encode(replace(contact, **fields)))
    world.dispatcher.contacts.receive_batch(batch)


async def test_a_message_goes_to_the_newest_identifier_of_the_person() -> None:
    world = world_of_people()
    meet(world)
    meet(world, to="BR.1", at_ms=999)
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert [each.to for each in world.channel.requests] == ["BR.1502"], "what is older changes nothing"
    meet(world, to="+5511888", at_ms=2_000)
    await world.deliver(requests("m-2"))
    await until(world.is_done)
    assert world.channel.requests[-1].to == "+5511888"


async def test_a_person_of_whom_nothing_is_known_is_written_to() -> None:
    world = world_of_people()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")]


async def test_a_person_who_never_wrote_as_far_as_we_know_is_written_to() -> None:
    """The channel took a first text to a stranger: it knows of a window that we do not."""
    world = world_of_people()
    meet(world, window_until_ms=0)
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")]


async def test_outside_the_reply_window_a_text_is_refused_and_a_template_goes() -> None:
    world = world_of_people()
    meet(world, window_until_ms=1_000)
    await world.deliver(requests("m-1"))
    await world.deliver(requests("m-2", kind=TEMPLATE, body=TEMPLATE_BODY))
    await until(world.is_done)
    assert world.channel.calls == ["m-2"]
    failed = failure(world)
    assert (failed.message_id, failed.failure_code, failed.attempt) == ("m-1", "outside-window", 0)
    assert "only template may be sent" in (failed.failure_detail or "")


async def test_outside_the_window_the_accounts_fall_back_template_goes_instead() -> None:
    world = world_of_people(Account(channel="whatsapp", options={"fallback_template": "hello:pt_BR"}))
    meet(world, window_until_ms=0)
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    [sent] = world.channel.requests
    assert (sent.kind, sent.body, sent.content) == (TEMPLATE, TEMPLATE_BODY, "")


async def test_who_opted_out_gets_nothing_until_they_come_back() -> None:
    world = world_of_people(Account(channel="whatsapp", options={"fallback_template": "hello:pt_BR"}))
    meet(world, opted_out=True)
    await world.deliver(requests("m-1", kind=TEMPLATE, body=TEMPLATE_BODY))
    await until(world.is_done)
    assert (world.channel.calls, failure(world).failure_code) == ([], "opted-out")
    meet(world, opted_out=False, at_ms=2_000)
    await world.deliver(requests("m-2"))
    await until(world.is_done)
    assert world.channel.calls == ["m-2"]


async def test_a_channel_without_a_window_is_always_open() -> None:
    world = world_of_people(channel="telegram")
    meet(world, window_until_ms=0)
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")]


async def test_a_conversation_that_a_person_began_is_answered_on_its_account() -> None:
    world = world_of_people(*(Account(channel="whatsapp", name=name) for name in ("main", "shop")))
    meet(world, account="shop")
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.changes()[0].account == "shop"


async def test_people_are_forgotten_after_months_and_opt_outs_are_not() -> None:
    world = world_of_people()
    meet(world)
    meet(world, conversation_id="c-2", opted_out=True)
    meet(world, conversation_id="c-3", at_ms=now_ms())
    world.dispatcher.contacts.sweep([2])
    known = [world.dispatcher.contacts.find(2, "default", f"c-{n}", MARIA) is not None for n in (1, 2, 3)]
    assert known == [False, True, True]


async def test_an_unusable_contact_is_a_dead_letter() -> None:
    world = world_of_people()
    meet(world, account="no account")
    meet(world, address="x" * 5_000)
    assert len(world.letters()) == 2


async def test_a_reaction_and_a_reply_name_their_message_as_the_channel_does() -> None:
    world = world_of_people()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    await world.deliver(requests("m-2", kind=REACTION, body={"message_id": "m-1", "emoji": "👍"}))
    await world.deliver(requests("m-3", reply_to="m-1"))
    await world.deliver(requests("m-4", reply_to="m-0", target_id="wamid.theirs"))
    await until(world.is_done)
    assert [each.target_id for each in world.channel.requests] == ["", "p-m-1-1", "p-m-1-1", "wamid.theirs"]


async def test_a_message_to_several_is_found_by_its_address() -> None:
    world = world_of_people()
    await world.deliver(requests("m-1", recipient_count=3))
    await until(world.is_done)
    await world.deliver(requests("m-2", reply_to="m-1", recipient_count=3))
    await until(world.is_done)
    assert world.channel.requests[-1].target_id == "p-m-1-1"


async def test_a_reaction_to_an_unknown_message_fails_and_a_reply_goes_without_its_quote() -> None:
    world = world_of_people()
    await world.deliver(requests("m-1", kind=REACTION, body={"message_id": "m-0", "emoji": "👍"}))
    await world.deliver(requests("m-2", reply_to="m-0"))
    await until(world.is_done)
    assert failure(world).failure_code == "target-unknown"
    [reply] = world.channel.requests
    assert (reply.message_id, reply.reply_to, reply.target_id) == ("m-2", "", "")


async def test_what_the_channel_does_not_take_goes_as_a_text() -> None:
    world = world_of_people(channel="instagram")
    body = {"latitude": -23.5, "longitude": -46.6, "name": "Praça", "address": ""}
    await world.deliver(requests("m-1", kind=LOCATION, body=body))
    await until(world.is_done)
    [sent] = world.channel.requests
    assert (sent.kind, sent.body) == (TEXT, {})
    assert "Praça" in sent.content


async def test_each_send_is_reported_to_the_address_book_on_the_accounts_partition() -> None:
    world = world_of_people()
    world.channel.answers["m-1"] = [Sent("wamid.1", now_ms(), to="BR.1502")]
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    [(_, partition, key, value)] = [each for each in world.producer.records if each[0] == "whatsapp-inbound"]
    assert (partition, key) == (partition_for(b"default", world.app.settings.partitions), b"default")
    report = decode(value, SentReported)
    assert (report.provider_id, report.conversation_id, report.token, report.address, report.to) == (
        "wamid.1",
        "c-1",
        "m-1",
        MARIA,
        "BR.1502",
    )


async def test_a_send_that_is_reported_again_after_a_crash_names_the_person_as_the_provider_did() -> None:
    """Without it the address book would take the new owner of a number for the person who got the message."""
    world = world_of_people()
    world.channel.answers["m-1"] = [Sent("wamid.1", now_ms(), to="BR.1502", part_ids=("wamid.2",))]
    world.channel.promises = [Receipt(Status.DELIVERED, now_ms() + 3_600_000)]  # so the row stays
    await world.deliver(requests("m-1"))
    await until(lambda: world.facts() == [("m-1", "SENT")])
    world.channel.promises = []
    world.crash()
    await until(world.is_done)
    reports = [decode(value, SentReported) for value in world.producer.on("whatsapp-inbound")]
    assert [(each.provider_id, each.to, each.part_ids) for each in reports] == [
        ("wamid.1", "BR.1502", ("wamid.2",))
    ] * 2


async def test_a_channel_on_which_nobody_answers_reports_no_sends() -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.producer.on("whatsapp-inbound") == []
