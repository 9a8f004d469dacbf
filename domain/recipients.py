"""Recipient addresses: ``whatsapp:+5511999990000``, ``instagram:@maria``, ``telegram:@bot_user`` or ``telegram:12345``,
and ``internal:<user id>`` for a user of the system who is reached inside it.

An address is parsed once, at the door; what comes out is normalised and is what every record carries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.errors import InvalidRecipient

MAX_RECIPIENT_CHARS = 200

# E.164: a plus sign, then 8 to 15 digits of which the first is not zero (ITU-T E.164, section 6).
_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
# Instagram: 1 to 30 letters, digits, underscores and full stops; no full stop at an end, no two in a row.
_INSTAGRAM = re.compile(r"@(?!\.)(?!.*\.\.)(?!.*\.$)[a-z0-9._]{1,30}")
# Telegram: a username of 4 to 32 letters, digits and underscores that starts with a letter, or a numeric chat id.
_TELEGRAM = re.compile(r"@[a-z][a-z0-9_]{3,31}|-?[1-9][0-9]{0,18}")
_USER_ID = re.compile(r"[!-~]{1,64}")
# Brazil's mobile numbers got a ninth digit, 9, before those that began with 6, 8 or 9 (Anatel, 2012 to 2016); 7 stayed
# with trunked radio. People and providers still write the short form, which reaches the same phone. The area codes are
# those in use. Checked against phonenumbers' copy of the numbering plan in tests/unit/test_addresses.py.
_BRAZIL_SHORT_MOBILE = re.compile(r"(\+55(?:[14689][1-9]|2[12478]|3[1-578]|5[1345]|7[134579]))([689][0-9]{7})")
_PHONE_PUNCTUATION = re.compile(r"[\s().\-]")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a message goes: ``channel`` is a name of the manifest, ``address`` is normalised for it."""

    channel: str
    address: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.address}"


def _whatsapp(address: str) -> str | None:
    number = _PHONE_PUNCTUATION.sub("", address)
    number = _BRAZIL_SHORT_MOBILE.sub(r"\g<1>9\g<2>", number) if _BRAZIL_SHORT_MOBILE.fullmatch(number) else number
    return number if _E164.fullmatch(number) else None


def _instagram(address: str) -> str | None:
    handle = address.lower()
    return handle if _INSTAGRAM.fullmatch(handle) else None


def _telegram(address: str) -> str | None:
    handle = address.lower()
    return handle if _TELEGRAM.fullmatch(handle) else None


def _internal(user_id: str) -> str | None:
    return user_id if _USER_ID.fullmatch(user_id) else None


INTERNAL = "internal"  # not a channel with an agent and topics of its own: such a message is where it goes already
_RULES = {
    "whatsapp": (_whatsapp, "a phone number in E.164 form, such as whatsapp:+5511999990000"),
    "instagram": (_instagram, "a handle, such as instagram:@maria"),
    "telegram": (_telegram, "a handle or a numeric chat id, such as telegram:@maria or telegram:12345"),
}
CHANNELS: tuple[str, ...] = tuple(_RULES)
_RULES_AND_INTERNAL = {**_RULES, INTERNAL: (_internal, "a user id, such as internal:0193…")}


def parse_recipient(text: str) -> Recipient:
    """Return the recipient that ``text`` names, normalised.

    Raises ``InvalidRecipient`` for an unknown channel or an address that cannot exist on it.
    """
    if len(text) > MAX_RECIPIENT_CHARS:
        raise InvalidRecipient(f"a recipient has at most {MAX_RECIPIENT_CHARS} characters", "recipient_id")
    channel, colon, address = text.partition(":")
    rule = _RULES_AND_INTERNAL.get(channel.lower())
    if not colon or rule is None:
        known = ", ".join(f"{name}:" for name in CHANNELS)
        raise InvalidRecipient(f"the recipient must begin with one of {known}", "recipient_id")
    normalise, example = rule
    normalised = normalise(address.strip())
    if normalised is None:
        raise InvalidRecipient(f"not a possible {channel.lower()} address: expected {example}", "recipient_id")
    return Recipient(channel.lower(), normalised)
