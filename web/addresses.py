"""The value of a linked identity: what the door takes as a recipient, and for telephones a number that can be."""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from domain.errors import InvalidRecipient
from domain.recipients import parse_recipient

MAX_VALUE_CHARS = 100


def linked_value(platform: str, value: str) -> str:
    """Return ``value`` normalised for ``platform`` as ``parse_recipient`` does it, so that look-ups agree with it.

    A telephone number must also have a length that its country's numbering plan knows. Whether the number is in use
    (phonenumbers' "valid") is not asked: the copy of the plans is older than the newest ranges, and a number that
    nobody has only makes a delivery fail. Raises ``InvalidRecipient``.
    """
    if len(value) > MAX_VALUE_CHARS:
        raise InvalidRecipient(f"must have at most {MAX_VALUE_CHARS} characters", "value")
    address = parse_recipient(f"{platform}:{value}").address
    return parse_recipient(f"{platform}:{_telephone(address)}").address if platform == "whatsapp" else address


def _telephone(number: str) -> str:
    """Return ``number`` in E.164 (a trunk prefix such as the (0) of +49 (0) 30 … goes)."""
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        raise InvalidRecipient("this country code does not exist", "value") from None
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        raise InvalidRecipient("in its country no number has this many digits, counted with the area code", "value")
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
