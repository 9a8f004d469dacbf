"""The normal form of addresses, against the numbering plans themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from domain.addresses import normal_address, parse_recipient
from domain.errors import InvalidRecipient
from domain.recipients import is_handle, recorded_recipient


def plan_says(number: str) -> int | None:
    parsed = phonenumbers.parse(number)
    return phonenumbers.number_type(parsed) if phonenumbers.is_valid_number(parsed) else None


def test_the_ninth_digit_comes_exactly_where_brazils_numbering_plan_has_it() -> None:
    for area in (*range(11, 90), *range(91, 100)):  # 90 is no area: it comes before a collect call's
        for first in range(20, 100):
            short = f"+55{area}{first}345678"
            long = f"+55{area}9{first}345678"
            needs_it = plan_says(short) is None and plan_says(long) == PhoneNumberType.MOBILE
            assert parse_recipient(f"whatsapp:{short}").address == (long if needs_it else short)
            assert parse_recipient(f"whatsapp:{long}").address == long


def number_of(text: str) -> str:
    return parse_recipient(f"whatsapp:{text}").address


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        ("+55 (11) 9999-0000", "+5511999990000"),
        ("+55 11 99999-0000", "+5511999990000"),
        ("+55 61 8123.4567", "+5561981234567"),
        ("+55 11 3333-0000", "+551133330000"),  # a fixed line
        ("+55 11 7777-0000", "+551177770000"),  # trunked radio kept eight digits
        ("+55 0 11 99999-0000", "+5511999990000"),
        ("+55 4003 1234", "+5540031234"),  # no fixed line and no mobile, but a range in the plan
        ("+1 555 123 4567", "+15551234567"),
        ("+49 (0) 30 123456", "+4930123456"),
        ("+39 06 1234 5678", "+390612345678"),  # Italy's zero is part of the number
        ("+44 7700 900123", "+447700900123"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+54 9 11 2345-6789", "+5491123456789"),
        ("+54 11 15 2345-6789", "+5491123456789"),
        ("+54 011 15 2345-6789", "+5491123456789"),
        ("+54 9 11 15 2345-6789", "+5491123456789"),
        ("+52 55 1234 5678", "+525512345678"),
        ("+52 1 55 1234 5678", "+525512345678"),  # as WhatsApp writes it
        ("+52 044 55 1234 5678", "+525512345678"),
        ("+7 8 495 123-45-67", "+74951234567"),
        ("+800 1234 5678", "+80012345678"),
        (" +5511999990000 ", "+5511999990000"),
        ("\u202a+55 11 99999\u20110000\u202c", "+5511999990000"),  # from the contacts of a desktop
        ("\u2066+55\u00a011\u00a099999\u20130000\u2069", "+5511999990000"),
        ("\ufeff+55\u200b11\u00ad99999\u22120000\u200e", "+5511999990000"),
        ("＋５５（１１）９９９９９－００００", "+5511999990000"),
        ("+٥٥١١٩٩٩٩٩٠٠٠٠", "+5511999990000"),
        ("+५५११९९९९९००००", "+5511999990000"),
        ("tel:+55-11-99999-0000", "+5511999990000"),
    ],
)
def test_a_telephone_number_is_normalised_and_then_stays(written: str, normalised: str) -> None:
    assert number_of(written) == normalised
    assert number_of(normalised) == normalised
    assert recorded_recipient(f"whatsapp:{normalised}") == parse_recipient(f"whatsapp:{written}")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "with its country code"),
        ("5511999990000", "with its country code"),
        ("11999990000", "with its country code"),
        ("+0511999990000", "with its country code"),
        ("@maria", "with its country code"),
        ("+55119999x0000", "with its country code"),
        ("+1 800 FLOWERS", "with its country code"),
        ("+5511999990000;ext=3", "with its country code"),
        ("\ud800", "with its country code"),
        ("+999123456789", "no country code begins +999"),
        ("+5511987654", "no telephone number has 8 digits after +55; it takes 10 or 11, with the area code"),
        ("+55119999900001", "no telephone number has 12 digits after +55"),
        ("+1212555012", "no telephone number has 9 digits after +1; it takes 10"),
        ("+" + "5" * 24, "at most 15 digits"),
        ("+" + "5" * 500, "at most 200 characters"),
    ],
)
def test_what_cannot_be_a_number_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(InvalidRecipient, match=re.escape(why)):
        number_of(written)


def examples() -> Iterator[tuple[str, str]]:
    """A mobile and a fixed number of each region that has such, with the region's trunk prefix."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        plan = PhoneMetadata.metadata_for_region(region)
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None:
                yield phonenumbers.format_number(example, PhoneNumberFormat.E164), plan.national_prefix or ""


EXAMPLES = list(examples())


def test_the_examples_of_all_numbering_plans_are_in_normal_form() -> None:
    assert len({phonenumbers.parse(number).country_code for number, _ in EXAMPLES}) > 200
    assert [number for number, _ in EXAMPLES if number_of(number) != number] == []


def test_a_trunk_prefix_goes_in_every_country_that_has_one() -> None:
    different = []
    for number, trunk in EXAMPLES:
        code = str(phonenumbers.parse(number).country_code)
        with suppress(InvalidRecipient):
            if trunk and number_of(f"+{code} ({trunk}) {number[1 + len(code) :]}") != number:
                different.append(number)
    assert different == []


_CODES = (0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
INVISIBLE = "".join(map(chr, _CODES))
PUNCTUATION = " \t.()/-\u00a0\u2007\u2010\u2011\u2012\u2013\u2014\u2015\u202f\u2212"
BETWEEN = st.text(st.sampled_from(PUNCTUATION + INVISIBLE), max_size=3)
PLUS = st.sampled_from("+＋")
DIGITS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९"]


@given(st.sampled_from(EXAMPLES), st.data())
def test_every_form_of_a_number_is_one_address(example: tuple[str, str], data: st.DataObject) -> None:
    number, _ = example
    written = ""
    for character in number:
        form = data.draw(PLUS) if character == "+" else data.draw(st.sampled_from(DIGITS))[int(character)]
        written += data.draw(BETWEEN) + form
    assert number_of(written + data.draw(BETWEEN)) == number


ANY_NUMBER = st.from_regex(r"\+[1-9][0-9]{5,18}", fullmatch=True)
OF_ODD_PLANS = st.from_regex(r"\+(1|7|39|44|5[245]|378|375)(0|1|9|15)?[0-9]{7,14}", fullmatch=True)


@given(ANY_NUMBER | OF_ODD_PLANS)
def test_the_normal_form_of_any_number_is_itself(written: str) -> None:
    try:
        number = number_of(written)
    except InvalidRecipient:
        return
    assert number_of(number) == number
    assert recorded_recipient(f"whatsapp:{number}").address == number


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        ("instagram:@Maria.Silva", "instagram:@maria.silva"),
        ("telegram:@Maria_Silva", "telegram:@maria_silva"),
        ("\u2068instagram:@maria\u2069", "instagram:@maria"),
        ("Instagram : @mar\u200bia", "instagram:@maria"),
        ("instagram：＠ｍａｒｉａ", "instagram:@maria"),
        ("telegram:123456", "telegram:123456"),
        ("telegram:\u2212100１２３", "telegram:-100123"),
        ("whatsapp:br.1502576394655843", "whatsapp:BR.1502576394655843"),
        ("WhatsApp: us.ent.aBc123", "whatsapp:US.ENT.aBc123"),
        ("whatsapp:\u2068BR.１５０２\u2069", "whatsapp:BR.1502"),
        ("Instagram:17841400000000000", "instagram:17841400000000000"),
        ("instagram:１７８４１", "instagram:17841"),
        ("internal:0193A5E2-0000-7000-8000-00000000ABCD", "internal:0193a5e2-0000-7000-8000-00000000abcd"),
        ("INTERNAL:\u202a0193a5e2-0000-7000-8000-00000000abcd\u202c", "internal:0193a5e2-0000-7000-8000-00000000abcd"),
    ],
)
def test_every_form_of_a_handle_and_of_a_user_is_one_address(written: str, normalised: str) -> None:
    assert str(parse_recipient(written)) == normalised
    assert str(parse_recipient(normalised)) == normalised
    assert str(recorded_recipient(normalised)) == normalised


@pytest.mark.parametrize(
    "written",
    [
        "whatsapp:BRA.1502",
        "whatsapp:BR.",
        "whatsapp:BR.1502.3",
        "whatsapp:BR.ent.",
        "whatsapp:BR.15-02",
        "whatsapp:BR." + "1" * 129,
        "whatsapp:1502",
        "instagram:0123456",
        "instagram:1234",
        "instagram:" + "1" * 33,
        "instagram:-12345",
        "instagram:17841400000000000x",
    ],
)
def test_what_cannot_be_a_providers_id_is_refused(written: str) -> None:
    with pytest.raises(InvalidRecipient):
        parse_recipient(written)


@given(st.from_regex(r"[A-Za-z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}", fullmatch=True))
def test_the_normal_form_of_any_business_scoped_id_is_itself(written: str) -> None:
    found = str(parse_recipient(f"whatsapp:{written}"))
    assert normal_address(found) == found == str(recorded_recipient(found))
    assert found.rpartition(".")[2] == written.rpartition(".")[2]


def test_handles_are_told_from_ids() -> None:
    assert [is_handle(one) for one in ("instagram:@maria", "telegram:1", "whatsapp:+55119", "@x")] == [1, 0, 0, 1]


def test_an_address_is_no_users_id() -> None:
    with pytest.raises(InvalidRecipient):
        parse_recipient("internal:whatsapp:+5511999990000")


def test_a_record_of_an_older_release_goes_where_it_says() -> None:
    older = "whatsapp:+4402079460958"
    assert str(recorded_recipient(older)) == older
    assert normal_address(older) == "whatsapp:+442079460958"
    impossible = "whatsapp:+5511987654"
    assert str(recorded_recipient(impossible)) == normal_address(impossible) == impossible
    for never in ("whatsapp:maria", "sms:+5511999990000", "whatsapp", "internal:a b", ""):
        with pytest.raises(InvalidRecipient):
            recorded_recipient(never)
