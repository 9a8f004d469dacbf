"""What people do on a channel: messages of conversations, the address book, windows and opt-outs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.clock import now_ms
from app.kafka.codec import encode
from domain.accounts import Account
from domain.correlation import SEPARATOR
from domain.inbound import SentReported
from domain.outcomes import Refusal, Refused
from domain.people import HOUR_MS
from support.deliveries import World, requests
from support.people import ANA, Inbound, message, receipt
from support.waiting import until

PHONE = "whatsapp:+5511999990000"


async def test_a_message_of_somebody_new_begins_a_conversation_with_the_inbox() -> None:
    world = Inbound()
    await world.post(message("w-1", "oi"))
    (first,) = world.messages()
    assert first.conversation_id.startswith("inbound:")
    assert (first.sender_id, first.sender_name, first.content) == (PHONE, "Ana", "oi")
    assert (first.direction, first.account, first.provider_id) == ("inbound", "shop", "w-1")
    assert first.members == ("user:maria", "user:joao", PHONE)
    assert first.targets == ()
    await world.post(message("w-2", "tudo bem?"))
    assert [one.content for one in world.messages()] == ["oi", "tudo bem?"]
    assert {one.conversation_id for one in world.messages()} == {first.conversation_id}
    assert world.metrics.outcomes == {"message": 2}


async def test_an_answer_goes_to_the_conversation_of_the_last_exchange() -> None:
    world = Inbound()
    await world.sent("m-1", "c-1", PHONE)
    await world.sent("m-2", "c-2", PHONE)
    await world.post(message("w-1"))
    (answer,) = world.messages()
    assert (answer.conversation_id, answer.members) == ("c-2", ())


async def test_a_quote_goes_to_the_conversation_of_the_quoted_message_and_names_it() -> None:
    world = Inbound()
    await world.sent("m-1", "c-1", PHONE)
    await world.sent("m-2", "c-2", PHONE)
    await world.post(message("w-1", target_id="p-m-1"))
    await world.post(message("w-2", target_id="w-1"))
    quoting, quoting_own = world.messages()
    assert (quoting.conversation_id, quoting.reply_to) == ("c-1", "m-1")
    assert (quoting_own.conversation_id, quoting_own.reply_to) == ("c-1", quoting.message_id)


async def test_a_reaction_names_the_message_it_is_about() -> None:
    world = Inbound()
    await world.sent("m-1", "c-1", PHONE, token=f"m-1 {PHONE}")
    await world.sent("m-2", "c-2", PHONE)
    await world.post(
        {
            **message("w-1", ""),
            "happening": "reaction",
            "body": {"emoji": "👍"},
            "target_id": "p-m-1",
            "kind": "reaction",
        }
    )
    (reaction,) = world.messages()
    assert (reaction.kind, reaction.conversation_id) == ("reaction", "c-1")
    assert reaction.body == {"message_id": "m-1", "emoji": "👍"}
    assert world.metrics.outcomes == {"reaction": 1}


async def test_an_element_that_is_posted_again_leads_to_nothing() -> None:
    world = Inbound()
    for _ in range(3):
        await world.post(message("w-1"))
    assert len(world.messages()) == 1
    assert world.metrics.outcomes == {"message": 1, "duplicate": 2}


async def test_a_record_that_comes_again_after_a_crash_leads_to_the_same_message() -> None:
    world = Inbound()
    await world.post(message("w-1"), message("w-2"))
    records = world.producer.on("whatsapp-inbound")
    await world.sent("m-1", "c-9", PHONE)  # the conversation of the last exchange is another one by now
    await world.crash()
    await world.take(*records, offset=0)
    before, after = world.messages()[:2], world.messages()[2:]
    assert before == after


async def test_a_message_opens_the_window_for_a_day_and_all_conversations_are_told() -> None:
    world = Inbound()
    await world.sent("m-1", "c-1", PHONE)
    await world.sent("m-2", "c-2", PHONE)
    assert {contact.window_until_ms for contact in world.contacts()} == {0}
    at_ms = now_ms() - HOUR_MS
    await world.post(message("w-1", at_ms=at_ms))
    told = {contact.conversation_id: contact for contact in world.contacts()[-2:]}
    assert set(told) == {"c-1", "c-2"}
    assert {contact.window_until_ms for contact in told.values()} == {at_ms + 24 * HOUR_MS}
    assert world.contact().conversation_id == "c-2"
    assert told["c-2"].at_ms > told["c-1"].at_ms
    await world.post(message("w-0", at_ms=at_ms - 1))  # late
    assert world.contact().window_until_ms == at_ms + 24 * HOUR_MS


async def test_a_time_to_come_does_not_hold_the_window_open() -> None:
    world = Inbound()
    await world.post(message("w-1", at_ms=now_ms() + 1_000 * HOUR_MS))
    assert world.contact().window_until_ms <= now_ms() + 24 * HOUR_MS


@pytest.mark.parametrize("word", ["STOP", " stop. ", "Parar!"])
async def test_a_stop_word_opts_out_until_the_person_writes_again(word: str) -> None:
    world = Inbound()
    await world.post(message("w-1", word))
    assert world.contact().opted_out
    assert world.messages()[0].content == word
    await world.post(message("w-2", "do not stop"))
    assert not world.contact().opted_out
    assert world.metrics.outcomes == {"opt-out": 1, "message": 1}


async def test_the_providers_opt_out_and_opt_in_are_told() -> None:
    world = Inbound()
    await world.sent("m-1", "c-1", PHONE)
    opt = {"element_id": "o-1", "at_ms": now_ms(), "person": {"phone": "+5511999990000"}}
    await world.post({**opt, "happening": "opt-out"})
    assert world.contact().opted_out
    await world.post({**opt, "happening": "opt-in"})
    assert not world.contact().opted_out
    assert world.metrics.outcomes == {"opt-out": 1, "opt-in": 1}
    assert world.messages() == []


async def test_a_hidden_number_is_a_person_and_the_same_one_when_it_is_shown() -> None:
    world = Inbound()
    await world.post(message("w-1", person={"user_id": "BR.7"}))
    await world.sent("m-1", "c-1", "whatsapp:+5511911112222")
    await world.post(message("w-2", person={"user_id": "BR.7", "phone": "+5511911112222"}))
    hidden, shown = world.messages()
    assert hidden.sender_id == "whatsapp:BR.7"
    assert shown.conversation_id in (hidden.conversation_id, "c-1")
    assert world.contact().to == "+5511911112222"
    assert {contact.conversation_id for contact in world.contacts()[-2:]} == {hidden.conversation_id, "c-1"}


async def test_a_new_number_keeps_the_person_and_the_conversation() -> None:
    world = Inbound()
    await world.post(message("w-1"))
    conversation = world.messages()[0].conversation_id
    change = {"happening": "identity", "element_id": "i-1", "at_ms": now_ms()}
    await world.post({**change, "person": {"phone": "+5511900001111"}, "former": {"phone": "+5511999990000"}})
    contact = world.contact()
    assert (contact.address, contact.to, contact.conversation_id) == (PHONE, "+5511900001111", conversation)
    await world.post(message("w-2", person={"phone": "+5511900001111"}))
    assert world.messages()[1].conversation_id == conversation
    assert world.messages()[1].sender_id == PHONE  # as the conversation knows them


async def test_a_new_user_id_keeps_the_person() -> None:
    world = Inbound()
    await world.post(message("w-1"))
    change = {"happening": "identity", "element_id": "i-1", "at_ms": now_ms()}
    await world.post({**change, "person": {"user_id": "BR.2"}, "former": {"user_id": "BR.1"}})
    await world.post(message("w-2", person={"user_id": "BR.2"}))
    assert len({one.conversation_id for one in world.messages()}) == 1


async def test_a_number_that_went_to_somebody_else_is_another_person() -> None:
    world = Inbound()
    await world.post(message("w-1"))
    await world.post(message("w-2", person={**ANA, "user_id": "BR.99", "name": "Zoe"}))
    first, second = world.messages()
    assert first.conversation_id != second.conversation_id
    await world.post(message("w-3", person={"user_id": "BR.1"}))
    assert world.messages()[2].conversation_id == first.conversation_id


async def test_a_number_in_a_providers_old_form_is_the_same_person() -> None:
    world = Inbound()
    await world.sent("m-1", "c-1", PHONE, to="551199990000")  # Brazil's ninth digit is missing
    await world.post(message("w-1", person={"phone": "+551199990000"}))
    assert [(one.conversation_id, one.sender_id) for one in world.messages()] == [("c-1", PHONE)]


async def test_a_receipt_with_our_token_goes_to_its_delivery() -> None:
    world = Inbound()
    await world.post(receipt("DELIVERED", "wamid.1", f"c-1{SEPARATOR}m-1"))
    (report,) = world.receipts()
    assert (report.token, report.status, report.account, report.provider_id) == ("m-1", "DELIVERED", "shop", "wamid.1")
    assert ("whatsapp-events", b"c-1") in [(topic, key) for topic, _, key, _ in world.producer.records]
    assert world.metrics.outcomes == {"receipt": 1}


async def test_a_receipt_without_a_token_is_tied_by_the_providers_id_before_and_after_the_send() -> None:
    world = Inbound()
    await world.post(receipt("READ", "p-m-1"))
    assert world.receipts() == []
    await world.crash()
    await world.sent("m-1", "c-1", PHONE, token=f"m-1 {PHONE}")
    await world.post(receipt("DELIVERED", "p-m-1", "a token of somebody else"))
    assert [(one.token, one.status) for one in world.receipts()] == [
        (f"m-1 {PHONE}", "READ"),
        (f"m-1 {PHONE}", "DELIVERED"),
    ]
    assert not [key for key in world.table.rows if key.startswith(b"r")]
    assert world.metrics.outcomes == {"receipt": 2}


async def test_a_receipt_of_a_later_part_is_tied_to_its_message_before_and_after_the_send() -> None:
    """Instagram names one part in ``read``, and a person may quote any of them."""
    inbound = Inbound()
    await inbound.post(receipt("READ", "p-2"))
    sent = SentReported("shop", "p-1", "c-9", "m-1", "whatsapp:+5511999990000", now_ms(), part_ids=("p-2", "p-3"))
    await inbound.take(encode(sent))
    await inbound.post(receipt("DELIVERED", "p-3"))
    assert [(each.status, each.token) for each in inbound.receipts()] == [("READ", "m-1"), ("DELIVERED", "m-1")]
    await inbound.post(message("in-1", target_id="p-3"))
    assert inbound.messages()[-1].reply_to == "m-1"


async def test_a_receipt_whose_message_nobody_sent_is_an_orphan_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Inbound()
    await world.post(receipt("READ", "p-unknown"))
    world.people.keep_house()
    assert world.metrics.outcomes == {}
    later = now_ms() + HOUR_MS + 1
    monkeypatch.setattr("agents.tokenless_receipts.now_ms", lambda: later)
    world.people.keep_house()
    assert world.metrics.outcomes == {"orphan": 1}
    assert not [key for key in world.table.rows if key.startswith(b"r")]


async def test_what_is_no_message_is_counted_and_nothing_vanishes() -> None:
    world = Inbound()
    other = {"at_ms": now_ms(), "detail": "quality"}
    await world.post(
        {**other, "happening": "account", "element_id": "a"},
        {**other, "happening": "ignored", "element_id": "b"},
        {**other, "happening": "unknown", "element_id": "c"},
        {**other, "happening": "unknown", "element_id": "d", "person": ANA},
        {**other, "happening": "message", "element_id": "e"},
        message("f", kind="hologram", body={"type": "hologram"}),
    )
    assert world.metrics.outcomes == {"account": 1, "ignored": 1, "unknown": 2, "nobody": 1, "message": 1}
    assert [(one.kind, one.provider_id) for one in world.messages()] == [("unsupported", "d"), ("unsupported", "f")]


async def test_a_malformed_webhook_is_a_dead_letter_whole_and_the_next_one_is_taken() -> None:
    world = Inbound()
    await world.sort(b"\xff not a webhook")
    await world.post(message("w-1"))
    (letter,) = world.letters()
    assert letter.topic == "whatsapp-webhooks"
    assert b"/yBub3QgYSB3ZWJob29r" in (letter.value or b"")
    assert len(world.messages()) == 1
    assert world.metrics.outcomes == {"malformed": 1, "message": 1}


async def test_a_parser_that_fails_costs_a_dead_letter_and_not_the_worker() -> None:
    world = Inbound()
    await world.sort(b'{"elements":[{"no":"event"}]}')
    assert "the parser failed" in world.letters()[0].detail


async def test_the_payloads_id_of_the_account_decides() -> None:
    accounts = [
        Account(channel="whatsapp", name=name, options={"phone_number_id": number, "inbox": name})
        for name, number in (("shop", "106"), ("help", "107"))
    ]
    world = Inbound(*accounts)
    await world.post(message("w-1"), our_id="107", account="shop")
    await world.post(message("w-2"), our_id="999", account="shop")
    assert [one.account for one in world.messages()] == ["help"]
    assert world.metrics.outcomes == {"message": 1, "other-account": 1}


async def test_a_payload_signed_for_one_tenant_cannot_speak_of_another(caplog: pytest.LogCaptureFixture) -> None:
    accounts = [
        Account(channel="whatsapp", name=name, options={"phone_number_id": number, "inbox": name})
        for name, number in (("shop", "106"), ("branch", "108"), ("help", "107"))
    ]
    world, signers = Inbound(*accounts), ("shop", "branch")
    await world.post(message("w-1"), our_id="107", account="shop", signers=signers)
    await world.post(receipt("READ", "wamid.1", f"c-1{SEPARATOR}m-1"), our_id="107", signers=signers)
    await world.post(message("w-3"), our_id="108", account="shop", signers=signers)
    assert [one.account for one in world.messages()] == ["branch"], "an account of the same app"
    assert world.receipts() == []
    assert world.metrics.outcomes == {"message": 1, "other-account": 2}
    assert "signed for shop, branch speaks of the account help" in caplog.text


async def test_an_account_without_an_inbox_says_so_and_keeps_the_message() -> None:
    world = Inbound(Account(channel="whatsapp", name="shop"))
    await world.post(message("w-1"), our_id="")
    assert world.messages()[0].members == (PHONE,)


async def test_a_read_mark_goes_to_the_channel() -> None:
    from app.kafka.codec import encode
    from domain.inbound import ReadMarked

    world = Inbound()
    await world.take(encode(ReadMarked("shop", "w-1", 1)), encode(ReadMarked("shop", "w-2", 1, is_typing=True)))
    await until(lambda: world.phone.read == ["w-1", "w-2 typing"])


async def test_a_send_that_is_refused_because_of_an_opt_out_is_told_to_the_address_book() -> None:
    world, deliveries = Inbound(), World(Account(channel="whatsapp", name="shop"))
    await world.sent("m-1", "c-1", PHONE)
    refused = Refused("131050", "stopped marketing", Refusal.OPTED_OUT)
    deliveries.channel.answers = {"m-2": [refused], "m-3": [replace(refused, kind=Refusal.PERMANENT)]}
    await deliveries.deliver(requests("m-2", "m-3"))
    await until(deliveries.is_done)
    (event,) = deliveries.producer.on("whatsapp-inbound")
    await world.take(event)
    assert world.contact().opted_out
    assert world.contact().address == PHONE


async def test_an_opt_out_by_an_answer_is_of_whom_the_channel_was_told_to_send_to() -> None:
    """Once it took the handle from its new owner, who then could not be written to."""
    world, deliveries = Inbound(), World(Account(channel="whatsapp", name="shop"))
    await world.post(message("w-1", person={"user_id": "BR.1", "handle": "@maria"}))
    former = world.messages()[0].conversation_id
    await world.post(message("w-2", person={"user_id": "BR.2", "handle": "@maria"}))
    deliveries.channel.answers = {"m-2": [Refused("131050", "stopped", Refusal.OPTED_OUT)]}
    await deliveries.deliver(requests("m-2", recipient_id="whatsapp:@maria", to="BR.1"))
    await until(deliveries.is_done)
    await world.take(*deliveries.producer.on("whatsapp-inbound"))
    assert (world.contact().conversation_id, world.contact().to, world.contact().opted_out) == (former, "BR.1", True)
    await world.post(message("w-3", person={"handle": "@maria"}))
    assert world.messages()[2].conversation_id == world.messages()[1].conversation_id


async def test_an_opt_out_by_an_answer_of_somebody_unknown_is_found_by_the_address() -> None:
    world, deliveries = Inbound(), World(Account(channel="whatsapp", name="shop"))
    deliveries.channel.answers = {"m-2": [Refused("131050", "stopped", Refusal.OPTED_OUT)]}
    await deliveries.deliver(requests("m-2", recipient_id="whatsapp:@maria", to="BR.1"))
    await until(deliveries.is_done)
    await world.take(*deliveries.producer.on("whatsapp-inbound"))
    assert (world.contact().opted_out, world.contact().person.identifiers) == (True, ("BR.1", "@maria"))


async def test_an_opt_out_of_somebody_who_never_wrote_is_known_all_the_same() -> None:
    world = Inbound()
    await world.post({"happening": "opt-out", "element_id": "o-1", "at_ms": now_ms(), "person": ANA})
    assert (world.contact().opted_out, world.contact().address) == (True, PHONE)
    await world.post(message("w-1"))
    assert world.messages()[0].conversation_id == world.contacts()[0].conversation_id
    assert world.messages()[0].members


async def test_an_element_that_no_record_can_hold_is_a_dead_letter() -> None:
    world = Inbound()
    await world.post(message("w-1", body={"long": "x" * 200_000}), message("w-2"))
    assert [one.provider_id for one in world.messages()] == ["w-2"]
    assert len(world.letters()) == 1
    assert world.metrics.outcomes == {"malformed": 1, "message": 1}
