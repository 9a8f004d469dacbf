"""Addresses as they are linked and looked up; Brazil's ninth digit against the numbering plan itself."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from domain.errors import InvalidRecipient
from domain.recipients import parse_recipient
from web.addresses import linked_value


def plan_says(number: str) -> int | None:
    parsed = phonenumbers.parse(number)
    return phonenumbers.number_type(parsed) if phonenumbers.is_valid_number(parsed) else None


def test_the_ninth_digit_comes_exactly_where_brazils_numbering_plan_has_it() -> None:
    for area in range(11, 100):
        for first in range(20, 100):
            short = f"+55{area}{first}345678"
            long = f"+55{area}9{first}345678"
            needs_it = plan_says(short) is None and plan_says(long) == PhoneNumberType.MOBILE
            assert parse_recipient(f"whatsapp:{short}").address == (long if needs_it else short)
            assert parse_recipient(f"whatsapp:{long}").address == long


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        ("+55 (11) 9999-0000", "+5511999990000"),
        ("+55 11 99999-0000", "+5511999990000"),
        ("+55 61 8123.4567", "+5561981234567"),
        ("+55 11 3333-0000", "+551133330000"),  # a fixed line
        ("+55 11 7777-0000", "+551177770000"),  # trunked radio kept eight digits
        ("+1 555 123 4567", "+15551234567"),
        ("+49 (0) 30 123456", "+4930123456"),
        ("+39 06 1234 5678", "+390612345678"),  # Italy's zero is part of the number
        ("+44 7700 900123", "+447700900123"),
        (" +5511999990000 ", "+5511999990000"),
    ],
)
def test_a_telephone_number_is_normalised_and_then_stays(written: str, normalised: str) -> None:
    assert linked_value("whatsapp", written) == normalised
    assert linked_value("whatsapp", normalised) == normalised
    assert parse_recipient(f"whatsapp:{normalised}").address == normalised


@pytest.mark.parametrize(
    "written",
    ["", "5511999990000", "11999990000", "+55119999900001", "+1212555012", "+999123456789", "+0511999990000", "@maria",
     "+55119999x0000", "\ud800", "+" + "5" * 99, "+" + "5" * 500, "+１２３４５６７８９０"],
)  # fmt: skip
def test_what_cannot_be_a_number_is_not_linked(written: str) -> None:
    with pytest.raises(InvalidRecipient):
        linked_value("whatsapp", written)


@pytest.mark.parametrize(
    ("platform", "written", "normalised"),
    [
        ("instagram", "@Maria.Silva", "@maria.silva"),
        ("telegram", "@Maria_Silva", "@maria_silva"),
        ("telegram", "123456", "123456"),
    ],
)
def test_handles_are_compared_without_regard_to_case(platform: str, written: str, normalised: str) -> None:
    assert linked_value(platform, written) == normalised
