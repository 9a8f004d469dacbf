"""Converts addresses to the one normal form carried by every record, row and answer.

Two forms of one address have one normal form, and the normal form of a normal form is itself
(docs/adr/0072-one-normal-form.md).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from domain.errors import InvalidRecipient
from domain.ids import is_uuid
from domain.recipients import BUSINESS_SCOPED_ID, CHANNELS, INTERNAL, Recipient, has_shape, shape_of
from domain.telephone import normal_telephone
from domain.text import INVISIBLE

MAX_RECIPIENT_CHARS = 200
REMEMBERED = 16_384  # texts; each with its recipient takes about 0.4 KB, at most 1.3 KB

_EXPECTED = {
    "instagram": "a handle or a numeric id, such as instagram:@maria or instagram:17841400000000000",
    "telegram": "a handle or a numeric chat id, such as telegram:@maria or telegram:12345",
    INTERNAL: "a user id, such as internal:0193…",
}
NO_CHANNEL = f"the recipient must begin with one of {', '.join(f'{name}:' for name in CHANNELS)}"


def parse_recipient(text: str) -> Recipient:
    """Return the recipient named by ``text``, in its normal form.

    Invisible characters are removed (copied contacts hold U+202A and U+202C), and digits, signs and spaces of other
    scripts count as those of ASCII. Raises ``InvalidRecipient`` for an unknown channel or an address that cannot exist
    on it.
    """
    if len(text) > MAX_RECIPIENT_CHARS:
        raise InvalidRecipient(f"a recipient has at most {MAX_RECIPIENT_CHARS} characters", "recipient_id")
    found = _parsed(text)
    if isinstance(found, str):
        raise InvalidRecipient(found, "recipient_id")
    return found


def normal_address(address: str) -> str:
    """Return the normal form of a recorded address; the address itself if today's rules reject it."""
    try:
        return str(parse_recipient(address))
    except InvalidRecipient:
        return address


def parse_participant(text: str) -> Recipient:
    """Return the participant: an address as ``parse_recipient`` reads it, or a user given by a bare id.

    A user's channel is ``INTERNAL``. Raises ``InvalidRecipient``.
    """
    return parse_recipient(text if ":" in text else f"{INTERNAL}:{text}")


@lru_cache(maxsize=REMEMBERED)
def _parsed(text: str) -> Recipient | str:
    """Return the recipient, or a sentence with the reason for there being none."""
    channel, colon, address = plain(text).partition(":")
    channel, address = channel.rstrip().lower(), address.lstrip()
    if not colon or (channel not in CHANNELS and channel != INTERNAL):
        return NO_CHANNEL
    if channel == "whatsapp":
        scoped = _business_scoped(address)
        if BUSINESS_SCOPED_ID.fullmatch(scoped):
            return Recipient(channel, scoped)
        try:
            return Recipient(channel, normal_telephone(address))
        except InvalidRecipient as error:
            return f"not a possible {channel} address: {error}"
    if channel != INTERNAL or is_uuid(address.lower()):
        address = address.lower()
    if not has_shape(channel, address):
        expected = _EXPECTED.get(channel) or f"the form {shape_of(channel)}"
        return f"not a possible {channel} address: expected {expected}"
    return Recipient(channel, address)


def _business_scoped(address: str) -> str:
    """Return the address with its country and ``ENT`` in capitals; the rest of such an id tells case apart."""
    *front, last = address.split(".")
    return ".".join([*map(str.upper, front), last])


def plain(text: str) -> str:
    """Return ``text`` without invisible characters, and with ASCII in place of its equivalents.

    A text longer than any recipient is returned unchanged.
    """
    if text.isascii() or len(text) > MAX_RECIPIENT_CHARS:
        return text.strip()
    return "".join(map(_plain_character, unicodedata.normalize("NFKC", text))).strip()


def _plain_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf" or character in INVISIBLE:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "-" if category == "Pd" or character == "\u2212" else character
