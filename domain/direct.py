"""Conversations with reserved ids: those of two, and those that a person began by writing to an account of ours.

The id follows from the sides, so each pair has one, whichever side writes first. No client chooses such an id: a
conversation under a reserved id is created only together with its sides, so no third party can be in it before them.
"""

from __future__ import annotations

import unicodedata
from hashlib import sha256

PREFIX = "direct:"
INBOUND_PREFIX = "inbound:"
_DIGITS = 32  # of the hexadecimal form of a SHA-256: 128 bits


def direct_id(one: str, other: str) -> str:
    """Return the id of the direct conversation of two sides, in any order: ``direct:`` and 32 hexadecimal digits.

    A side is a user's id or a normalised address. Neither can hold the separating line feed. The two may be the same:
    a user's notes.
    """
    sides = "\n".join(sorted((one, other)))
    return PREFIX + sha256(sides.encode()).hexdigest()[:_DIGITS]


def inbound_id(channel: str, account: str, person_id: str) -> str:
    """Return the id of the conversation that a person began with an account: ``inbound:`` and 32 hexadecimal digits."""
    sides = f"{channel}\n{account}\n{person_id}"
    return INBOUND_PREFIX + sha256(sides.encode()).hexdigest()[:_DIGITS]


def is_direct(conversation_id: str) -> bool:
    """Return whether an id has the form made by ``direct_id``; such a conversation may exist or not."""
    return conversation_id.startswith(PREFIX)


def is_reserved(conversation_id: str) -> bool:
    """Return whether no client may choose this id, because it is the system's or looks like one of these.

    Case, compatibility forms (full-width letters) and invisible characters do not count.
    """
    visible = (character for character in conversation_id if unicodedata.category(character) != "Cf")
    text = unicodedata.normalize("NFKC", "".join(visible))
    return text.strip().casefold().startswith((PREFIX, INBOUND_PREFIX))
