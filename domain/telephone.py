"""The normal form of telephone numbers: E.164, by the numbering plans of libphonenumber.

``phonenumbers`` is Google's libphonenumber in Python: data and pure functions. It loads a country's plan at the first
number of that country (0.3 ms, at most 2 ms; the plans of all 215 country codes take 55 ms and 1 MB).
"""

from __future__ import annotations

import re
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat

from domain.errors import InvalidRecipient

# E.164: a plus sign, then at most 15 digits (ITU-T E.164, section 6). Trunk prefixes may come on top of them.
_DIGITS = re.compile(r"\+[1-9][0-9]{4,24}")
_PUNCTUATION = re.compile(r"[\s()\[\]./~\-]")
# Brazil's mobile numbers got a ninth digit, 9, before those that began with 6, 8 or 9 (Anatel, 2012 to 2016); 7 stayed
# with trunked radio. People and providers still write the short form, which reaches the same phone. The area codes are
# those in use. Checked against phonenumbers' copy of the numbering plan in tests/unit/test_addresses.py.
_BRAZIL_SHORT_MOBILE = re.compile(r"(\+55(?:[14689][1-9]|2[12478]|3[1-578]|5[1345]|7[134579]))([689][0-9]{7})")
# Mexico dropped its prefixes 01, 02, 044, 045 and 1 in August 2019 (IFT); WhatsApp and many contacts still write the 1.
_MEXICO_WITH_PREFIX = re.compile(r"\+52(?:0[12]|04[45]|1)([2-9][0-9]{9})")
# Argentina's mobile numbers have a 9 before the area code from abroad, or a 15 after it at home. Some write both.
_ARGENTINA_WITH_BOTH = re.compile(r"\+549([1-9][0-9]{11})")
_MOST_PREFIXES = 4  # a trunk prefix written twice happens; more than these are no number


def normal_telephone(text: str) -> str:
    """Return the number in ``text``, in E.164. The normal form of a normal form is itself.

    ``text`` begins with a plus sign and the country code. Spaces and punctuation, trunk prefixes, and the national
    forms of mobile numbers in Argentina, Brazil and Mexico are removed. Raises ``InvalidRecipient`` with the reason.
    Whether a number is in use is not checked: the copy of the plans is older than the newest ranges.
    """
    number = _PUNCTUATION.sub("", text)
    number = number[4:] if number[:4].lower() == "tel:" else number
    if not _DIGITS.fullmatch(number):
        raise InvalidRecipient(
            "expected a telephone number with its country code, such as whatsapp:+5511999990000", "recipient_id"
        )
    for _ in range(_MOST_PREFIXES):
        number = _without_own_prefix(number)
        parsed = _parsed(number)
        normal = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
        if normal == number:
            _require_possible(number, parsed)
            return number
        number = normal
    raise InvalidRecipient("no telephone number has so many trunk prefixes", "recipient_id")


def _without_own_prefix(number: str) -> str:
    """Return ``number`` as its country's rule above has it, where libphonenumber has none."""
    if match := _MEXICO_WITH_PREFIX.fullmatch(number):
        return f"+52{match[1]}"
    if match := _BRAZIL_SHORT_MOBILE.fullmatch(number):
        return f"{match[1]}9{match[2]}"
    if match := _ARGENTINA_WITH_BOTH.fullmatch(number):
        return f"+54{match[1]}"
    return number


def _parsed(number: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(number)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            raise InvalidRecipient(f"no country code begins {number[:4]}", "recipient_id") from None
        raise InvalidRecipient("a telephone number has at most 15 digits", "recipient_id") from None


def _require_possible(number: str, parsed: phonenumbers.PhoneNumber) -> None:
    """Raise ``InvalidRecipient`` unless numbers of this country may have so many digits.

    The lengths are those of fixed lines and mobiles. Others, of services, must be of a range in the plan.
    """
    country_code = parsed.country_code or 0
    digits = len(number) - 1 - len(str(country_code))
    lengths = _lengths(country_code)
    if len(number) > 16 or (digits not in lengths and not phonenumbers.is_valid_number(parsed)):
        raise InvalidRecipient(
            f"no telephone number has {digits} digits after +{country_code}; it takes {_listed(lengths)}, "
            "with the area code",
            "recipient_id",
        )


@cache
def _lengths(country_code: int) -> tuple[int, ...]:
    """Return how many digits fixed lines and mobiles have after this country code. There are 215 country codes."""
    phonenumbers.re_util.enable_pattern_cache()  # numbers of many countries in turn must not compile patterns anew
    region = phonenumbers.region_code_for_country_code(country_code)
    if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY:
        plan = PhoneMetadata.metadata_for_nongeo_region(country_code)
        kinds = [plan and plan.general_desc]
    else:
        plan = PhoneMetadata.metadata_for_region(region)
        kinds = [plan and plan.fixed_line, plan and plan.mobile]
    any_kind = plan.general_desc.possible_length if plan and plan.general_desc else ()
    found = {length for kind in kinds if kind for length in kind.possible_length or any_kind}
    return tuple(sorted(length for length in found if length > 0))


def _listed(lengths: tuple[int, ...]) -> str:
    *others, last = map(str, lengths)
    return f"{', '.join(others)} or {last}" if others else last
