"""The book of people: their identifiers on each channel, and their manners."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from simulator.messages import Shown, Taken

MOST_PHONES = 200_000
MOST_SHOWN = 2_000  # messages on one screen; older ones are forgotten, and counted
MOST_PENDING = 10_000  # messages for one phone that is off
WINDOW_MS = 24 * 3_600_000  # WhatsApp and Instagram: so long after the person's last message anything may be sent


class Reads(StrEnum):
    """When somebody reads: ``soon`` is after the chaos's ``read_seconds``, ``late`` after its ``late_read_seconds``."""

    AT_ONCE = "at-once"
    SOON = "soon"
    LATE = "late"
    NEVER = "never"  # except by hand


@dataclass(slots=True, kw_only=True, eq=False)
class Person:
    """Somebody with a phone.

    ``number``: digits, empty if only a handle is known; ``user_id``: WhatsApp's business-scoped id; ``igsid``:
    Instagram's. ``refuses`` is the code with which WhatsApp refuses every message to this person; ``throttles`` so many
    attempts for each message before it is taken. ``answers`` is the text of the answer to each message; ``{text}`` in
    it is the message's text. ``wrote_ms``: when the person last wrote to an account, by its key.
    """

    id: str
    name: str
    number: str
    handle: str
    user_id: str
    igsid: str
    chat_id: int
    hides_number: bool = False
    reads: Reads = Reads.SOON
    receipts: bool = True
    is_online: bool = True
    refuses: int = 0
    throttles: int = 0
    answers: str = ""
    presses: bool = False
    has_open_window: bool = True  # WhatsApp: of somebody who never wrote
    has_left_marketing: bool = False
    blocked: set[tuple[str, str]] = field(default_factory=set)
    wrote_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    screen: list[Shown] = field(default_factory=list)
    forgotten: int = 0
    pending: list[Taken] = field(default_factory=list)
    answered_until: float = 0.0  # the loop's time of the last planned answer: answers keep their order

    def show(self, shown: Shown) -> None:
        """Put a message on the screen, after all others."""
        self.screen.append(shown)
        if len(self.screen) > MOST_SHOWN:
            del self.screen[0]
            self.forgotten += 1

    def found(self, message_id: str) -> Shown | None:
        """Return the newest message of this provider id on the screen."""
        return next((shown for shown in reversed(self.screen) if shown.message_id == message_id), None)

    def window_is_open(self, key: tuple[str, str], now_ms: int) -> bool:
        """Return whether the account may send anything: the person wrote within 24 h."""
        wrote_ms = self.wrote_ms.get(key)
        return self.has_open_window if wrote_ms is None else now_ms - wrote_ms < WINDOW_MS


class BookIsFull(Exception):
    """There are ``MOST_PHONES`` phones already."""


class AlreadyTaken(Exception):
    """Another person has the number, the handle or the id."""


class PhoneBook:
    """People, found by each of their identifiers."""

    def __init__(self) -> None:
        self._people: OrderedDict[str, Person] = OrderedDict()
        self._by: dict[str, Person] = {}
        self._left: set[str] = set()  # numbers that somebody gave up

    def __iter__(self) -> Iterator[Person]:
        return iter(self._people.values())

    def __len__(self) -> int:
        return len(self._people)

    def make(self, *, number: str = "", handle: str = "", id: str = "", name: str = "", user_id: str = "") -> Person:
        """Make a person; what is not given is derived from the number, handle or id, the same in each run.

        Raises ``BookIsFull`` and ``AlreadyTaken``.
        """
        if len(self._people) >= MOST_PHONES:
            raise BookIsFull
        seed = wa_id_of(number) or handle.lower() or user_id or id or f"person {len(self._people) + 1}"
        person = Person(
            id=id or (number or handle.lower() or user_id or f"p{len(self._people) + 1}"),
            name=name or (f"@{handle}" if handle else f"Person {_digits(seed, 4)}"),
            number=number,
            handle=handle,
            user_id=user_id or f"{country_of(number)}.{_digits('bsuid ' + seed, 16)}",
            igsid=self._free("ig", "igsid " + seed, 16),
            chat_id=int(self._free("tg", "chat " + seed, 9)),
            hides_number=not number,
        )
        if not number and not handle and not user_id:
            person.number, person.hides_number = f"1555{_digits('number ' + seed, 7)}", False
        names = list(_names(person))
        if person.id in self._people or any(name in self._by for name in names):
            raise AlreadyTaken
        self._people[person.id] = person
        self._by.update(dict.fromkeys(names, person))
        self._left.discard(wa_id_of(person.number))
        return person

    def _free(self, prefix: str, seed: str, length: int) -> str:
        """Return digits that nobody has: among many people two seeds may have the same."""
        found = _digits(seed, length)
        while f"{prefix}:{found}" in self._by:
            seed += " again"
            found = _digits(seed, length)
        return found

    def find(self, name: str) -> Person | None:
        """Return the person of an id, a number with or without +, @handle, BSUID, IGSID or chat id."""
        keys = (f"+{wa_id_of(name.removeprefix('+'))}", name, name.lower(), f"ig:{name}", f"tg:{name}")
        return self._people.get(name) or next((self._by[key] for key in keys if key in self._by), None)

    def of_number(self, digits: str) -> Person | None:
        return self._by.get(f"+{wa_id_of(digits)}")

    def of_user_id(self, user_id: str) -> Person | None:
        return self._by.get(user_id)

    def of_igsid(self, igsid: str) -> Person | None:
        return self._by.get(f"ig:{igsid}")

    def of_chat(self, chat_id: int) -> Person | None:
        return self._by.get(f"tg:{chat_id}")

    def has_left(self, digits: str) -> bool:
        """Return whether somebody gave up this number for another one."""
        return wa_id_of(digits) in self._left

    def change_number(self, person: Person, digits: str) -> None:
        """Give the person another number. Raises ``AlreadyTaken``."""
        new, old = wa_id_of(digits), wa_id_of(person.number)
        if f"+{new}" in self._by:
            raise AlreadyTaken
        self._by.pop(f"+{old}", None)
        if old and len(self._left) < MOST_PHONES:
            self._left.add(old)
        person.number = digits
        self._left.discard(new)
        self._by[f"+{new}"] = person


def _names(person: Person) -> Iterator[str]:
    if person.number:
        yield f"+{wa_id_of(person.number)}"
    if person.handle:
        yield f"@{person.handle.lower()}"
    yield person.user_id
    for prefix, name in (("ig", person.igsid), ("tg", str(person.chat_id))):
        yield f"{prefix}:{name}"


def wa_id_of(number: str) -> str:
    """Return a number as WhatsApp names it: mobile numbers of Brazil's area codes above 28 lose their ninth digit."""
    if len(number) == 13 and number.startswith("55") and number[4] == "9" and number[2:4] > "28":
        return number[:4] + number[5:]
    return number


def country_of(number: str) -> str:
    """Return an ISO country for the beginning of a BSUID: Brazil's by its code, otherwise the United States'."""
    return "BR" if number.startswith("55") or not number else "US"


def _digits(seed: str, length: int) -> str:
    """Return digits that depend on ``seed`` alone; the first one is not 0."""
    number = int.from_bytes(hashlib.blake2s(seed.encode(), digest_size=16).digest(), "big")
    return str(10 ** (length - 1) + number % (9 * 10 ** (length - 1)))
