"""The address book of an account: people, their identifiers, the reply window and opt-outs. Pure.

A person is one row, found by each of its identifiers. The best identifier comes first: the provider's own id, then the
phone number, then the handle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.addresses import normal_address
from domain.inbound import ContactChanged, Person

HOUR_MS = 3_600_000
MAX_CONVERSATIONS = 16  # of a person on an account: the last ones
# which identifier messages show as the address, the first that there is (providers.md, "Who somebody is", 2026-11-27)
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "whatsapp": ("phone", "user_id"),
    "instagram": ("handle", "user_id"),
    "telegram": ("user_id",),
}
# which identifier the provider takes
_TAKEN: Mapping[str, tuple[str, ...]] = {
    "whatsapp": ("phone", "user_id"),
    "instagram": ("user_id",),
    "telegram": ("user_id",),
}
# for how long a person's message opens the reply window; a channel that is not here has none (2026-11-27)
WINDOW_MS: Mapping[str, int] = {"whatsapp": 24 * HOUR_MS, "instagram": 24 * HOUR_MS}
NOBODY = Person()
_ANY = ("user_id", "phone", "handle")


@dataclass(frozen=True, slots=True)
class Known:
    """A person's row on an account.

    ``conversations``: (conversation id, the person's address in it), that of the last exchange first.
    ``window_until_ms``: 0 if the person never wrote, or the channel has no window. ``at_ms``: of the last
    ``ContactChanged``.
    """

    person_id: str
    person: Person = NOBODY
    conversations: tuple[tuple[str, str], ...] = ()
    window_until_ms: int = 0
    opted_out: bool = False
    at_ms: int = 0

    @property
    def conversation(self) -> tuple[str, str] | None:
        """The conversation of the last exchange, and the person's address in it."""
        return self.conversations[0] if self.conversations else None

    def address_in(self, conversation_id: str) -> str | None:
        """Return the person's address in a conversation, ``None`` if they are not known to be in it."""
        return dict(self.conversations).get(conversation_id)

    def spoke_in(self, conversation_id: str, address: str) -> Known:
        """Return the row with this conversation as that of the last exchange."""
        address = self.address_in(conversation_id) or address
        others = tuple(one for one in self.conversations if one[0] != conversation_id)
        return replace(self, conversations=((conversation_id, address), *others)[:MAX_CONVERSATIONS])


def address_of(channel: str, person: Person) -> str:
    """Return the address of a person as messages show it; empty without any identifier."""
    identifier = _first(person, _SHOWN.get(channel, _ANY)) or _first(person, _ANY)
    return f"{channel}:{identifier}" if identifier else ""


def taken_of(channel: str, person: Person) -> str:
    """Return the identifier that the provider takes; empty if none is known."""
    return _first(person, _TAKEN.get(channel, _ANY))


def person_at(channel: str, address: str, to: str = "") -> Person:
    """Return the person that an address and the provider's identifier ``to`` describe."""
    identifiers = (address.partition(":")[2], to)
    found = NOBODY
    for identifier in identifiers:
        if identifier:
            found = merged(found, _person_with(channel, identifier))
    return found


def _person_with(channel: str, identifier: str) -> Person:
    if identifier.startswith("@"):
        return Person(handle=identifier)
    if channel == "whatsapp" and identifier.lstrip("+").isdigit():
        return Person(phone=f"+{identifier.lstrip('+')}")
    return Person(user_id=identifier)


def normal(channel: str, person: Person) -> Person:
    """Return the person with identifiers in the form that addresses have."""
    phone = normal_address(f"{channel}:{person.phone}").partition(":")[2] if person.phone else ""
    return Person(phone, person.user_id, person.handle.lower(), person.name)


def merged(older: Person, newer: Person) -> Person:
    """Return the person with the fields of ``newer``, and the others unchanged."""
    return Person(
        newer.phone or older.phone,
        newer.user_id or older.user_id,
        newer.handle or older.handle,
        newer.name or older.name,
    )


def are_two(one: Person, other: Person) -> bool:
    """Return whether the two have different ids of the provider: a number or a handle that went to somebody else."""
    return bool(one.user_id and other.user_id and one.user_id != other.user_id)


def without(person: Person, identifiers: Sequence[str]) -> Person:
    """Return the person without the identifiers that are somebody else's by now."""
    phone, user_id, handle = (
        "" if value in identifiers else value for value in (person.phone, person.user_id, person.handle)
    )
    return Person(phone, user_id, handle, person.name)


def united(kept: Known, other: Known) -> Known:
    """Return the row of two that turned out to be one person."""
    seen = {conversation_id for conversation_id, _ in kept.conversations}
    more = tuple(one for one in other.conversations if one[0] not in seen)
    return replace(
        kept,
        person=merged(other.person, kept.person),
        conversations=(*kept.conversations, *more)[:MAX_CONVERSATIONS],
        window_until_ms=max(kept.window_until_ms, other.window_until_ms),
        opted_out=kept.opted_out or other.opted_out,
        at_ms=max(kept.at_ms, other.at_ms),
    )


def wrote(channel: str, row: Known, at_ms: int) -> Known:
    """Return the row after a message of the person at ``at_ms``: the window is open, an opt-out is over."""
    until_ms = at_ms + WINDOW_MS[channel] if channel in WINDOW_MS else 0
    return replace(row, window_until_ms=max(row.window_until_ms, until_ms), opted_out=False)


def is_stop_word(text: str, words: Sequence[str]) -> bool:
    """Return whether the text is one of the words by which a person opts out."""
    return text.strip().strip(".!").casefold() in words


def contacts_of(channel: str, account: str, row: Known, now_ms: int) -> tuple[Known, Sequence[ContactChanged]]:
    """Return the row with a new time, and a contact for each conversation, the last exchange's at the end.

    The times rise with each call, even if the clock goes back. The conversation of the last exchange has the
    greatest time, so its contact wins in a row for all conversations of the person.
    """
    at_ms = max(now_ms, row.at_ms + 2)
    to = taken_of(channel, row.person)
    told = [
        ContactChanged(
            channel=channel,
            account=account,
            address=address,
            conversation_id=conversation_id,
            to=to or address.partition(":")[2],
            person=row.person,
            window_until_ms=row.window_until_ms,
            opted_out=row.opted_out,
            at_ms=at_ms if index == 0 else at_ms - 1,
        )
        for index, (conversation_id, address) in enumerate(row.conversations)
    ]
    return replace(row, at_ms=at_ms), told[::-1]


def _first(person: Person, names: Sequence[str]) -> str:
    return next((value for name in names if (value := getattr(person, name))), "")
