"""Conversations with reserved ids: those of two, and those that a person began by writing to an account of ours.

The id follows from the sides, so each pair has one, whichever side writes first. No client chooses such an id: a
conversation under a reserved id is created only together with its sides, so no third party can be in it before them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256
from itertools import combinations_with_replacement

PREFIX = "direct:"
INBOUND_PREFIX = "inbound:"
_DIGITS = 32  # of the hexadecimal form of a SHA-256: 128 bits
_MADE = re.compile(rf"{PREFIX}[0-9a-f]{{{_DIGITS}}}", re.ASCII)


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


def is_made(conversation_id: str) -> bool:
    """Return whether ``direct_id`` can have made the id, so that its sides alone may be in the conversation."""
    return _MADE.fullmatch(conversation_id) is not None


def is_of(conversation_id: str, one: str, other: str) -> bool:
    """Return whether the direct conversation of the two sides has this id."""
    return is_direct(conversation_id) and direct_id(one, other) == conversation_id


def sides_among(conversation_id: str, participants: Sequence[str]) -> tuple[str, ...]:
    """Return the sides of a direct conversation among stored ``participants``, sorted; none if they are not there.

    A stored row is no proof: a release before the reserved ids let clients choose them.
    """
    for one, other in combinations_with_replacement(participants, 2):
        if direct_id(one, other) == conversation_id:
            return tuple(sorted({one, other}))
    return ()


def is_reserved(conversation_id: str) -> bool:
    """Return whether no client may choose this id, because it is the system's or looks like one of these.

    Case, compatibility forms (full-width letters) and invisible characters do not count.
    """
    visible = (character for character in conversation_id if unicodedata.category(character) != "Cf")
    text = unicodedata.normalize("NFKC", "".join(visible))
    return text.strip().casefold().startswith((PREFIX, INBOUND_PREFIX))
