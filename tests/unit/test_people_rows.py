"""The rows of the table ``people``, and the rules of the address book."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.kafka.codec import MAX_WEBHOOK_BYTES, decode, encode
from domain.inbound import Person, WebhookReceived
from domain.people import Known, address_of, contacts_of, merged, person_at, taken_of, united
from domain.records import DeadLetter
from tables import people as rows

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
people = st.builds(Person, texts, texts, texts, texts)
known = st.builds(
    Known,
    texts,
    people,
    st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    st.integers(0, 2**50),
    st.booleans(),
    st.integers(0, 2**50),
)


@given(known)
def test_a_person_is_what_was_stored_and_never_leaves_the_table(row: Known) -> None:
    assert rows.load_known(rows.dump_known(row)) == row
    assert rows.recorded_at_ms(rows.dump_known(row)) > 2**60


@given(st.integers(0, 2**50), st.integers(0, 2**50), texts)
def test_what_ties_webhooks_to_messages_leaves_by_its_time(at_ms: int, offset: int, text: str) -> None:
    seen, message = rows.Seen(at_ms, offset, text), rows.Message(at_ms, text, text, text)
    assert rows.load_seen(rows.dump_seen(seen)) == seen
    assert rows.load_message(rows.dump_message(message)) == message
    assert rows.load_aging(rows.dump_aging(at_ms, b"{} x")) == (at_ms, b"{} x")
    for value in (rows.dump_seen(seen), rows.dump_message(message), rows.dump_aging(at_ms, b"{}")):
        assert rows.recorded_at_ms(value) == at_ms


@given(st.uuids().map(str))
def test_an_identifier_never_leaves_the_table(person_id: str) -> None:
    assert rows.recorded_at_ms(person_id.encode()) > 2**60


def test_the_keys_of_a_person_who_waits_are_in_the_order_of_the_records() -> None:
    keys = [rows.waiting_key("shop", "p-1", offset) for offset in (0, 1, 255, 256, 2**40)]
    assert keys == sorted(keys)
    assert {rows.waiting_prefix_of(key) for key in keys} == {rows.waiting_prefix("shop", "p-1")}
    assert {rows.account_of(key) for key in keys} == {"shop"}


@given(known, known, st.integers(0, 2**50))
def test_the_times_of_contacts_rise_and_the_last_exchange_is_the_latest(one: Known, two: Known, now_ms: int) -> None:
    row = united(one, two)
    after, told = contacts_of("whatsapp", "shop", row, now_ms)
    assert after.at_ms > row.at_ms
    assert all(row.at_ms < contact.at_ms <= after.at_ms for contact in told)
    if told:
        assert told[-1].conversation_id == row.conversations[0][0]
        assert told[-1].at_ms == after.at_ms
        assert contacts_of("whatsapp", "shop", after, now_ms)[1][0].at_ms > told[-1].at_ms


def test_an_address_says_who_is_meant() -> None:
    assert person_at("whatsapp", "whatsapp:+5511", "BR.1") == Person("+5511", "BR.1")
    assert person_at("instagram", "instagram:@maria", "1784") == Person("", "1784", "@maria")
    assert person_at("telegram", "telegram:12") == Person("", "12")
    for channel, person, address, to in (
        ("whatsapp", Person("+5511", "BR.1"), "whatsapp:+5511", "+5511"),
        ("whatsapp", Person("", "BR.1"), "whatsapp:BR.1", "BR.1"),
        ("instagram", Person("", "1784", "@maria"), "instagram:@maria", "1784"),
        ("telegram", Person("", "12", "@maria"), "telegram:12", "12"),
        ("whatsapp", Person(), "", ""),
    ):
        assert (address_of(channel, person), taken_of(channel, person)) == (address, to)
    assert merged(Person("+1", "A", "@a", "Ana"), Person(phone="+2")) == Person("+2", "A", "@a", "Ana")


def test_the_longest_webhook_fits_into_a_record_and_into_a_dead_letter() -> None:
    record = encode(WebhookReceived("shop", {"x-hub-signature-256": "0" * 71}, b"\xff" * (4 << 20), 1))
    assert len(record) < MAX_WEBHOOK_BYTES
    letter = encode(DeadLetter("whatsapp-webhooks", 0, 0, "malformed-record", "x" * 500, b"shop", record, 1))
    assert decode(letter, DeadLetter).value == record
