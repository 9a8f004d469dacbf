"""Recipients, content, ids, routing, attempts: what may be, and what follows."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import routing
from domain.addresses import parse_recipient
from domain.content import check_content
from domain.errors import InvalidContent, InvalidRecipient
from domain.files import FileMetadata
from domain.idempotency import is_same_message
from domain.ids import is_uuid, keyed_id, may_repeat, uuid7
from domain.ports import LogPosition
from domain.recipients import CHANNELS, INTERNAL
from domain.records import MAX_CONTENT_BYTES, MessageAccepted


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("whatsapp:+5511999990000", "whatsapp:+5511999990000"),
        ("WhatsApp: +55 (11) 99999-0000", "whatsapp:+5511999990000"),
        ("instagram:@Maria.Silva", "instagram:@maria.silva"),
        ("telegram:@Bot_User", "telegram:@bot_user"),
        ("telegram:12345", "telegram:12345"),
        ("telegram:-100123", "telegram:-100123"),
        ("internal:0193A-x_y", "internal:0193A-x_y"),
    ],
)
def test_a_possible_address_is_normalised(text: str, normalised: str) -> None:
    assert str(parse_recipient(text)) == normalised


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+5511999990000",
        "sms:+5511999990000",
        "whatsapp:",
        "whatsapp:5511999990000",
        "whatsapp:+0511999990000",
        "whatsapp:+55119999900001234",
        "whatsapp:+1234567",
        "instagram:maria",
        "instagram:@",
        "instagram:@a..b",
        "instagram:@.a",
        "instagram:@a.",
        "instagram:@" + "a" * 31,
        "telegram:@abc",
        "telegram:@1abc",
        "telegram:0",
        "telegram:abc",
        "whatsapp:+5511999990000\n\x00",
        "whatsapp:" + "+" + "5" * 500,
        "internal:",
        "internal:a b",
        "internal:é",
        "internal:" + "x" * 65,
    ],
)
def test_an_impossible_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRecipient) as caught:
        parse_recipient(text)
    assert caught.value.field == "recipient_id"


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser_and_what_passes_is_stable(text: str) -> None:
    try:
        parsed = parse_recipient(text)
    except InvalidRecipient:
        return
    assert parsed.channel in (*CHANNELS, INTERNAL)
    assert parse_recipient(str(parsed)) == parsed


@pytest.mark.parametrize("text", ["", "a\x00b", "\ud800", "é" * (MAX_CONTENT_BYTES // 2) + "x"])
def test_content_that_cannot_be_delivered_is_refused(text: str) -> None:
    with pytest.raises(InvalidContent):
        check_content(text, has_file=False)


@pytest.mark.parametrize("text", ["hi", "\"'\\\n\t", "😀" * (MAX_CONTENT_BYTES // 4), "x" * MAX_CONTENT_BYTES])
def test_content_at_the_limit_passes_unchanged(text: str) -> None:
    assert check_content(text, has_file=False) is text


def test_a_file_may_go_without_words() -> None:
    assert check_content("", has_file=True) == ""


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=16))
def test_an_id_is_a_uuid_of_version_7_that_carries_its_time(unix_ms: int, noise: bytes) -> None:
    made = uuid.UUID(uuid7(unix_ms, noise))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == unix_ms


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_sort_by_the_time_they_were_made(unix_ms: int, one: bytes, other: bytes) -> None:
    assert uuid7(unix_ms, one) < uuid7(unix_ms + 1, other)


MESSAGE = MessageAccepted("m-1", "c-1", "u-1", "whatsapp:+5511999990000", "hi")


def test_a_uuid_is_36_characters_in_lower_case() -> None:
    ours = uuid7(1_767_225_600_000, bytes(10))
    assert is_uuid(ours)
    assert is_uuid("01890f3e-7b6c-7cc0-98c4-dc0c0c07398f")
    near = ("", ours[:-1], ours + "0", ours + "\n", ours.replace("-", ""), f"{{{ours}}}", f"urn:uuid:{ours}")
    assert not any(map(is_uuid, (*near, "01890F3E-7B6C-7CC0-98C4-DC0C0C07398F", "٠" + ours[1:])))


def test_a_routed_message_carries_its_place_and_its_address() -> None:
    routed = routing.decide(MESSAGE, LogPosition(1_700_000_000_000, 42))
    ((channel, request),) = routed.requests
    (fact,) = routed.facts
    assert channel == "whatsapp"
    assert request.recipient_id == "whatsapp:+5511999990000"
    assert (request.accepted_at_ms, request.position, request.recipient_count) == (1_700_000_000_000, 42, 1)
    assert (fact.status, fact.at_ms, fact.recipient_id) == ("ACCEPTED", 1_700_000_000_000, "")


def test_a_message_to_a_user_inside_the_system_is_sent_where_it_is() -> None:
    message = MessageAccepted("m-1", "c-1", "u-1", "u-2", "hi", None, ("internal:u-2",), ("u-2",))
    routed = routing.decide(message, LogPosition(1_000, 42))
    assert routed.requests == ()
    assert [(fact.status, fact.at_ms, fact.channel, fact.recipient_count) for fact in routed.facts] == [
        ("ACCEPTED", 1_000, "internal", 1),
        ("SENT", 1_000, "internal", 1),
    ]


def test_a_message_to_several_is_one_request_for_each_on_its_channel() -> None:
    addresses = ("whatsapp:+5511999990000", "instagram:@maria", "internal:u-4", "pigeon:loft-3")
    message = MessageAccepted("m-1", "c-1", "u-1", "", "hi", None, addresses, ("u-2", "u-3", "u-4", ""))
    routed = routing.decide(message, LogPosition(1_000, 42))
    assert [(channel, request.recipient_id, request.recipient_count) for channel, request in routed.requests] == [
        ("whatsapp", "whatsapp:+5511999990000", 4),
        ("instagram", "instagram:@maria", 4),
    ]
    assert {(fact.status, fact.recipient_id, fact.recipient_count) for fact in routed.facts} == {
        ("ACCEPTED", "", 4),
        ("SENT", "internal:u-4", 4),
        ("FAILED", "pigeon:loft-3", 4),
    }
    assert routed.refused is not None


@pytest.mark.parametrize(
    "recipients", [("whatsapp:+5511999990000",), ("whatsapp:+5511999990000", "instagram:@maria", "internal:u-4")]
)
def test_what_is_known_of_a_file_goes_with_every_request(recipients: tuple[str, ...]) -> None:
    file = FileMetadata("a.pdf", 3, "application/pdf", f"sha256:{'0' * 64}", "c-1/f-1.pdf")
    message = MessageAccepted("m-1", "c-1", "u-1", "", "", "f-1", recipients, file=file)
    routed = routing.decide(message, LogPosition(1_000, 42))
    assert {(request.file_id, request.file) for _, request in routed.requests} == {("f-1", file)}


def test_a_key_used_before_addresses_had_one_form_still_means_its_message() -> None:
    older = replace(MESSAGE, recipient_id="whatsapp:+4402079460958")
    again = replace(MESSAGE, recipient_id="whatsapp:+442079460958")
    assert is_same_message(older, again)
    assert is_same_message(again, older)
    assert not is_same_message(older, replace(again, recipient_id="whatsapp:+442079460959"))
    assert not is_same_message(older, replace(again, content="ho"))


def test_only_a_message_with_a_key_may_be_in_the_log_twice() -> None:
    assert may_repeat(keyed_id("u-1", "key"))
    assert not may_repeat(uuid7(1, b"0123456789"))
    assert not may_repeat("m-5")
