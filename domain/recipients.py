"""Recipients: ``whatsapp:+5511999990000`` or ``whatsapp:BR.1502576394655843``, ``instagram:@maria`` or
``instagram:17841400000000000``, ``telegram:@bot_user`` or ``telegram:12345``, and ``internal:<user id>`` for a user
reached inside the system.

An address is parsed once, on arrival (``domain.addresses``); every record carries its normal form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.errors import InvalidRecipient

# E.164: a plus sign, then at most 15 digits of which the first is not zero (ITU-T E.164, section 6).
E164 = re.compile(r"\+[1-9][0-9]{4,14}")
# WhatsApp's business-scoped user id: an ISO country, ENT for one of a parent portfolio, up to 128 letters and digits.
BUSINESS_SCOPED_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
# Instagram: 1 to 30 letters, digits, underscores and full stops; no full stop at an end, no two in a row.
INSTAGRAM_HANDLE = re.compile(r"@(?!\.)(?!.*\.\.)(?!.*\.$)[a-z0-9._]{1,30}")
INSTAGRAM_ID = re.compile(r"[1-9][0-9]{4,31}")  # the IGSID: of a person, for one account of ours
# Telegram: a username of 4 to 32 letters, digits and underscores that starts with a letter, or a numeric chat id.
TELEGRAM_CHAT = re.compile(r"@[a-z][a-z0-9_]{3,31}|-?[1-9][0-9]{0,18}")
USER_ID = re.compile(r"[!-9;-~]{1,64}")  # no colon: that is what tells an address from a user

INTERNAL = "internal"  # not a channel with an agent and topics of its own: such a message is where it goes already
_CHANNELS = {
    "whatsapp": re.compile(f"{E164.pattern}|{BUSINESS_SCOPED_ID.pattern}"),
    "instagram": re.compile(f"{INSTAGRAM_HANDLE.pattern}|{INSTAGRAM_ID.pattern}"),
    "telegram": TELEGRAM_CHAT,
}
CHANNELS: tuple[str, ...] = tuple(_CHANNELS)
_SHAPES = {**_CHANNELS, INTERNAL: USER_ID}


@dataclass(frozen=True, slots=True)
class Recipient:
    """The destination of a message: ``channel`` is a name of the manifest, ``address`` is in that channel's normal
    form.
    """

    channel: str
    address: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.address}"


def recorded_recipient(text: str) -> Recipient:
    """Return the recipient named by a record.

    Only the form is checked: a message accepted under an older rule goes to its recorded address. Raises
    ``InvalidRecipient`` for a form written by no release.
    """
    channel, _, address = text.partition(":")
    if not has_shape(channel, address):
        raise InvalidRecipient(f"no channel has such an address: {text[:100]!r}", "recipient_id")
    return Recipient(channel, address)


def has_shape(channel: str, address: str) -> bool:
    """Return whether ``address`` has one of the forms of ``channel``, or of ``INTERNAL``."""
    shape = _SHAPES.get(channel)
    return shape is not None and shape.fullmatch(address) is not None


def shape_of(channel: str) -> str:
    """Return the regular expression of a channel's addresses."""
    return _SHAPES[channel].pattern


def is_handle(address: str) -> bool:
    """Return whether an address, with its channel or without, is a name that no provider sends to."""
    return address.rpartition(":")[2].startswith("@")
