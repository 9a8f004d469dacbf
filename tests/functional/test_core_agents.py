"""``route`` and ``track_status`` on fakes: what they write for what they read."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.route import route_batch
from agents.track_status import fold_batch
from app.faust.batches import RecordBatch
from app.kafka.codec import decode, encode
from domain.ids import keyed_id
from domain.records import DeadLetter, DeliveryRequested, MessageAccepted, StatusChanged
from domain.status import Fact, Status, fold
from support.fakes import FakeApp, FakeTable, batch_of
from support.waiting import stays, until
from tables import message_state

FOR_EVER = 1e7  # hours: the facts of these tests are from 1970

POISON = {
    "not JSON": b"\xff\xfe{",
    "wrong schema": b'{"type":"Other","version":1}',
    "unknown version": b'{"type":"MessageAccepted","version":99}',
    "noise": b"\x00" * 1_000_000,
    "nothing": None,
}


def accepted(n: int, recipient: str = "whatsapp:+5511999990000") -> bytes:
    return encode(MessageAccepted(f"m-{n}", "c-1", "u-1", recipient, f"text {n}"))


async def test_a_message_goes_to_its_channel_with_its_place_and_headers() -> None:
    app = FakeApp()
    await route_batch(app, batch_of("messages", accepted(0), accepted(1, "instagram:@maria"), start=40))  # type: ignore[arg-type]
    request = decode(app.batch_producer.on("whatsapp-outbound")[0], DeliveryRequested)
    assert (request.message_id, request.position, request.accepted_at_ms) == ("m-0", 40, 1_700_000_000_000)
    assert decode(app.batch_producer.on("instagram-outbound")[0], DeliveryRequested).recipient_id == "instagram:@maria"
    facts = [decode(value, StatusChanged) for value in app.batch_producer.on("status-updates")]
    assert [(fact.message_id, fact.status) for fact in facts] == [("m-0", "ACCEPTED"), ("m-1", "ACCEPTED")]
    assert {partition for _, partition, _, _ in app.batch_producer.records} == {2}
    assert all(headers == (("request_id", b"r-1"),) for headers in app.batch_producer.headers)


@pytest.mark.parametrize("recipients", [(), ("whatsapp:+5511999990000", "internal:u-2", "whatsapp:+5511999990001")])
async def test_what_the_sender_asks_of_the_delivery_goes_with_each_request(recipients: tuple[str, ...]) -> None:
    app = FakeApp()
    to = "" if recipients else "whatsapp:+5511999990000"
    message = MessageAccepted("m-1", "c-1", "u-1", to, "hi", None, recipients, account="main", not_after_ms=7)
    plain = replace(message, account="", not_after_ms=0)
    await route_batch(app, batch_of("messages", encode(replace(message, priority="bulk")), encode(plain)))  # type: ignore[arg-type]
    values = app.batch_producer.on("whatsapp-outbound")
    half = len(values) // 2
    for value in values[:half]:
        request = decode(value, DeliveryRequested)
        assert (request.account, request.not_after_ms, request.priority) == ("main", 7, "bulk")
    for value in values[half:]:
        assert not {"account", "not_after_ms", "priority"} & set(orjson.loads(value))


@pytest.mark.parametrize("recipients", [(), ("whatsapp:+5511999990000", "internal:u-2", "instagram:@maria")])
async def test_a_kind_its_object_and_its_target_go_with_each_request(recipients: tuple[str, ...]) -> None:
    app = FakeApp()
    body = {"message_id": "m-0", "emoji": "❤"}
    message = MessageAccepted(
        "m-1",
        "c-1",
        "u-1",
        "" if recipients else "whatsapp:+5511999990000",
        "",
        None,
        recipients,
        kind="reaction",
        body=body,
        reply_to="m-9",
        target_id="wamid.1",
        recipient_ids=("BR.1", "", "17841") if recipients else ("BR.1",),
    )
    await route_batch(app, batch_of("messages", encode(message)))  # type: ignore[arg-type]
    made = {
        channel: [decode(value, DeliveryRequested) for value in app.batch_producer.on(f"{channel}-outbound")]
        for channel in ("whatsapp", "instagram")
    }
    for (request,) in filter(None, made.values()):
        assert (request.kind, request.body, request.reply_to) == ("reaction", body, "m-9")
        assert request.target_id == "wamid.1"
    assert [[request.to for request in requests] for requests in made.values()] == [
        ["BR.1"],
        ["17841"] if recipients else [],
    ]


async def test_two_records_of_one_keyed_message_are_one_row_with_the_first_time() -> None:
    app = FakeApp()
    table = FakeTable(app.batch_producer)
    message = encode(MessageAccepted(keyed_id("u-1", "key"), "c-1", "u-1", "whatsapp:+5511999990000", "once"))
    await route_batch(app, batch_of("messages", message, message, start=40))  # type: ignore[arg-type]
    facts = app.batch_producer.on("status-updates")
    for order in (facts, facts[::-1]):
        table.rows.clear()
        fold_batch(app, table, batch_of("status-updates", *order))  # type: ignore[arg-type]
        assert len(table.rows) == 1
        (row,) = map(message_state.load, table.rows.values())
        assert row.state.accepted_at_ms == 1_700_000_000_000
    assert app.batch_producer.on("dead-letters") == []


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_poison_is_kept_whole_and_the_stream_goes_on(poison: bytes | None) -> None:
    app = FakeApp()
    await route_batch(app, batch_of("messages", accepted(0), poison, accepted(2), start=7))  # type: ignore[arg-type]
    letter = decode_letter(app)
    assert (letter.topic, letter.partition, letter.offset, letter.value) == ("messages", 2, 8, poison)
    assert letter.reason == "malformed-record"
    assert len(app.batch_producer.on("whatsapp-outbound")) == 2


def decode_letter(app: FakeApp) -> DeadLetter:
    (value,) = app.batch_producer.on("dead-letters")
    document = {name: v for name, v in orjson.loads(value).items() if name not in ("type", "version")}
    for name in ("key", "value"):
        document[name] = None if document[name] is None else base64.b64decode(document[name])
    return DeadLetter(**document)


async def test_a_message_that_no_channel_takes_fails_with_the_reason_and_is_kept() -> None:
    app = FakeApp()
    await route_batch(app, batch_of("messages", accepted(0, "pigeon:loft-3")))  # type: ignore[arg-type]
    fact = decode(app.batch_producer.on("status-updates")[0], StatusChanged)
    assert (fact.status, fact.failure_code) == ("FAILED", "invalid-recipient")
    assert decode_letter(app).reason == "invalid-recipient"


async def test_a_message_to_an_empty_everyone_goes_nowhere_and_is_sent_in_the_conversation() -> None:
    app = FakeApp()
    table = FakeTable(app.batch_producer)
    await route_batch(app, batch_of("messages", accepted(0, "")))  # type: ignore[arg-type]
    facts = app.batch_producer.on("status-updates")
    assert [(decode(fact, StatusChanged).status, decode(fact, StatusChanged).recipient_count) for fact in facts] == [
        ("ACCEPTED", 1),
        ("SENT", 1),
    ]
    assert app.batch_producer.on("dead-letters") == []
    fold_batch(app, table, batch_of("status-updates", *facts))  # type: ignore[arg-type]
    assert message_state.load(table.rows[b"m-0"]).state.status is Status.SENT


def changed(message_id: str, status: str, at_ms: int) -> bytes:
    return encode(StatusChanged(message_id, "c-1", status, at_ms, 1, 0, "whatsapp", 1))


async def test_each_message_of_a_batch_is_written_once_with_all_its_facts() -> None:
    app = FakeApp(state_retention_hours=FOR_EVER)
    table = FakeTable(app.batch_producer)
    batch = batch_of(
        "status-updates",
        *(changed("m-1", word, n) for n, word in enumerate(("SENT", "READ"))),
        changed("m-2", "SENT", 9),
    )
    dead, writes, count = fold_batch(app, table, batch)  # type: ignore[arg-type]
    assert (len(dead), len(writes), count) == (0, 2, 2)
    row = message_state.load(table.rows[b"m-1"])
    assert (row.state.status, row.conversation_id, row.channel) == (Status.READ, "c-1", "whatsapp")


async def test_a_repeated_batch_is_written_again_with_the_same_values() -> None:
    app = FakeApp(state_retention_hours=FOR_EVER)
    table = FakeTable(app.batch_producer)
    batch = batch_of("status-updates", changed("m-1", "SENT", 3))
    fold_batch(app, table, batch)  # type: ignore[arg-type]
    fold_batch(app, table, batch)  # type: ignore[arg-type]
    first, second = app.batch_producer.on("table-changelog")
    assert first == second


async def test_a_fact_with_an_unknown_word_is_a_dead_letter() -> None:
    app = FakeApp()
    table = FakeTable(app.batch_producer)
    dead, _, count = fold_batch(app, table, batch_of("status-updates", changed("m-1", "PLAYED", 3)))  # type: ignore[arg-type]
    assert (len(dead), count) == (1, 0)


GROUP = ("whatsapp:+5511999990000", "instagram:@maria", "internal:u-4")


async def test_a_message_to_several_goes_to_the_topic_of_each_channel_in_the_conversations_partition() -> None:
    app = FakeApp()
    message = MessageAccepted("m-0", "c-1", "u-1", "", "hi", None, GROUP, ("u-2", "u-3", "u-4"))
    await route_batch(app, batch_of("messages", encode(message), accepted(1)))  # type: ignore[arg-type]
    requests = [decode(value, DeliveryRequested) for value in app.batch_producer.on("whatsapp-outbound")]
    assert [(r.message_id, r.recipient_id, r.recipient_count) for r in requests] == [
        ("m-0", GROUP[0], 3),
        ("m-1", GROUP[0], 1),
    ]
    assert decode(app.batch_producer.on("instagram-outbound")[0], DeliveryRequested).recipient_id == GROUP[1]
    facts = [decode(value, StatusChanged) for value in app.batch_producer.on("status-updates")]
    assert [(fact.message_id, fact.status, fact.recipient_id) for fact in facts] == [
        ("m-0", "ACCEPTED", ""),
        ("m-0", "SENT", GROUP[2]),
        ("m-1", "ACCEPTED", ""),
    ]
    assert {partition for _, partition, _, _ in app.batch_producer.records} == {2}


async def test_an_address_that_no_channel_takes_fails_alone() -> None:
    app = FakeApp()
    message = MessageAccepted("m-0", "c-1", "u-1", "", "hi", None, (GROUP[0], "pigeon:loft-3"), ("", ""))
    await route_batch(app, batch_of("messages", encode(message)))  # type: ignore[arg-type]
    facts = [decode(value, StatusChanged) for value in app.batch_producer.on("status-updates")]
    assert [(fact.status, fact.recipient_id) for fact in facts] == [("ACCEPTED", ""), ("FAILED", "pigeon:loft-3")]
    assert len(app.batch_producer.on("whatsapp-outbound")) == 1
    assert decode_letter(app).reason == "invalid-recipient"


async def test_routing_waits_for_kafka_before_the_producer_would_refuse() -> None:
    app = FakeApp()
    app.batch_producer.held = True
    app.batch_producer.pending_bytes = 64 * 1024 * 1024
    shared = encode(MessageAccepted("m-1", "c-1", "u-1", "", "hi", None, GROUP, ("u-2", "u-3", "u-4")))
    routing = asyncio.create_task(route_batch(app, batch_of("messages", accepted(0), shared)))  # type: ignore[arg-type]
    await until(lambda: app.batch_producer.on("whatsapp-outbound"))
    await stays(lambda: len(app.batch_producer.on("whatsapp-outbound")) == 1)
    app.batch_producer.release()
    await asyncio.wait_for(routing, 1)
    assert len(app.batch_producer.on("whatsapp-outbound")) == 2


async def test_each_address_has_a_row_of_its_own() -> None:
    app = FakeApp(state_retention_hours=FOR_EVER)
    table = FakeTable(app.batch_producer)
    facts = [
        StatusChanged("m-1", "c-1", "ACCEPTED", 1, 1, 0, "", recipient_count=3),
        StatusChanged("m-1", "c-1", "READ", 9, 1, 0, "whatsapp", 1, "p", recipient_id=GROUP[0], recipient_count=3),
        StatusChanged("m-1", "c-1", "SENT", 2, 1, 0, "internal", recipient_id=GROUP[2], recipient_count=3),
    ]
    fold_batch(app, table, batch_of("status-updates", *map(encode, facts)))  # type: ignore[arg-type]
    rows = {key.decode(): message_state.load(value) for key, value in table.rows.items()}
    assert {key: (row.state.status, row.channel, row.recipient_count) for key, row in rows.items()} == {
        "m-1": ("ACCEPTED", "", 3),
        f"m-1 {GROUP[0]}": ("READ", "whatsapp", 3),
        f"m-1 {GROUP[2]}": ("SENT", "internal", 3),
    }


facts = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([str(w) for w in Status]), st.integers(0, 50)), max_size=20
)


@given(facts, st.integers(1, 5))
async def test_the_table_is_the_fold_however_the_facts_are_cut_into_batches(
    some: list[tuple[str, str, int]], size: int
) -> None:
    app = FakeApp(state_retention_hours=FOR_EVER)
    table = FakeTable(app.batch_producer)
    for n in range(0, len(some), size):
        values = [changed(*fact) for fact in some[n : n + size]]
        fold_batch(app, table, batch_of("status-updates", *values, start=n))  # type: ignore[arg-type]
    for message_id in {fact[0] for fact in some}:
        expected = fold(Fact(word, at, 1) for name, word, at in some if name == message_id)
        assert message_state.load(table.rows[message_id.encode()]).state == expected


DAY_MS = 86_400_000


def logged_after(days: float, *facts: StatusChanged) -> RecordBatch:
    """A batch of facts that were logged so long after the acceptance."""
    batch = batch_of("status-updates", *map(encode, facts))
    for record in batch.records:
        record.timestamp = facts[0].accepted_at_ms + int(days * DAY_MS)
    return batch


@pytest.mark.parametrize("count", [1, 2])
async def test_a_fact_about_a_row_that_has_left_the_table_does_not_make_a_wrong_one(count: int) -> None:
    app = FakeApp()
    table = FakeTable(app.batch_producer)
    address = "whatsapp:+5511999990000" if count > 1 else ""
    accepted_at = 1_700_000_000_000

    def change(status: str, days: float) -> StatusChanged:
        at_ms = accepted_at + int(days * DAY_MS)
        return StatusChanged(
            "m-1", "c-1", status, at_ms, accepted_at, 7, "whatsapp", recipient_id=address, recipient_count=count
        )

    fold_batch(app, table, logged_after(9, change("READ", 9)))  # type: ignore[arg-type]
    assert table.rows == {}
    fold_batch(app, table, logged_after(1, change("SENT", 1)))  # type: ignore[arg-type]
    fold_batch(app, table, logged_after(9, change("READ", 9)))  # type: ignore[arg-type]
    (row,) = map(message_state.load, table.rows.values())  # it was there still
    assert (row.state.status, row.state.sent_at_ms) == (Status.READ, accepted_at + DAY_MS)


async def test_a_persons_message_goes_to_no_channel_and_stands_in_the_conversation() -> None:
    app = FakeApp()
    ana = "whatsapp:+5511999990000"
    message = MessageAccepted("m-1", "c-1", ana, "", "oi", account="shop", direction="inbound", members=("user:x", ana))
    await route_batch(app, batch_of("messages", encode(message)))  # type: ignore[arg-type]
    assert {topic for topic, *_ in app.batch_producer.records} == {"status-updates"}
    facts = [decode(value, StatusChanged) for value in app.batch_producer.on("status-updates")]
    assert [(fact.status, fact.recipient_count) for fact in facts] == [("ACCEPTED", 1), ("SENT", 1)]


def test_a_row_with_a_price_comes_back_whole_and_older_rows_are_read() -> None:
    facts = [Fact(Status.SENT, 5, 1, "wamid.1"), Fact(Status.DELIVERED, 6, 1, "wamid.1", pricing='{"billable":true}')]
    for count in (1, 3):
        row = message_state.Row(fold(facts), "c-1", "whatsapp", count)  # type: ignore[arg-type]
        assert message_state.load(message_state.dump(row)) == row
        older = message_state.Row(fold(facts[:1]), "c-1", "whatsapp", count)  # type: ignore[arg-type]
        assert message_state.load(message_state.dump(older)) == older
