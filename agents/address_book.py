"""The rows of people in the table ``people``: each person is found by each of their identifiers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.inbound import ContactChanged, Person
from domain.people import Known, are_two, contacts_of, merged, normal, united, without
from tables import people as rows

if TYPE_CHECKING:
    from app.faust.durable_table import DurableTable
    from app.kafka.pending_batches import PendingBatch

_PEOPLE = uuid.UUID("7d2b0f5e-0c55-4c4e-9c0e-6a1f0b7c2e11")


class AddressBook:
    """The people of the accounts of ``channel``, on the partitions of ``table``."""

    def __init__(self, channel: str, table: DurableTable) -> None:
        self._channel = channel
        self._table = table
        self._left: list[Known] = []

    def find(self, partition: int, account: str, person: Person) -> Known | None:
        """Return the person with these identifiers, the most lasting one first; ``None`` if they are unknown."""
        for identifier in person.identifiers:
            known = self._identified(partition, account, identifier)
            if known is not None and not are_two(known.person, person):
                return known
        return None

    def meet(self, partition: int, account: str, person: Person, occasion: str) -> tuple[Known, list[PendingBatch]]:
        """Return the row of a person with these identifiers, made if there is none, and the writes.

        The caller stores the row with ``put``.

        Two rows that turn out to be one person become one. An identifier that was somebody else's is theirs no more.
        ``occasion`` makes the id of a new person, the same when the event comes again.
        """
        person = normal(self._channel, person)
        found, strangers = self._rows_of(partition, account, person)
        kept = found.pop(0) if found else Known(str(uuid.uuid5(_PEOPLE, f"{self._channel}\n{account}\n{occasion}")))
        return self._settle(partition, account, kept, person, found, strangers)

    def reached(
        self, partition: int, account: str, known: Known | None, person: Person, occasion: str
    ) -> tuple[Known, list[PendingBatch]]:
        """Return the row of a recipient with these identifiers, and the writes: as ``meet``.

        Of somebody ``known`` only what is missing is learnt: a conversation may have a former address of theirs, or
        one of somebody else by now.
        """
        if known is None:
            return self.meet(partition, account, person, occasion)
        person = normal(self._channel, person)
        foreign = []
        for identifier in person.identifiers:
            owner = self._identified(partition, account, identifier)
            if owner is not None and are_two(owner.person, known.person):
                foreign.append(identifier)
        return self.meet(partition, account, merged(without(person, foreign), known.person), occasion)

    def with_free(self, partition: int, account: str, person: Person, more: Person) -> Person:
        """Return ``person`` with those identifiers of ``more`` that are nobody's."""
        person, more = normal(self._channel, person), normal(self._channel, more)
        taken = [one for one in more.identifiers if self._identified(partition, account, one) is not None]
        return merged(without(more, taken), person)

    def contacts_of(
        self, partition: int, account: str, row: Known, now_ms: int
    ) -> tuple[Known, Sequence[ContactChanged]]:
        """Return the row with a new time, and the news for its conversations: as ``domain.people.contacts_of``, with
        the addresses that identify somebody else by now."""
        row, contacts = contacts_of(self._channel, account, row, now_ms)
        return row, [replace(one, is_taken=self._is_taken(partition, account, row, one.address)) for one in contacts]

    def _is_taken(self, partition: int, account: str, row: Known, address: str) -> bool:
        identifier = address.partition(":")[2]
        owner = None if identifier in row.person.identifiers else self._identified(partition, account, identifier)
        return owner is not None and owner.person_id != row.person_id and identifier in owner.person.identifiers

    def rename(
        self, partition: int, account: str, former: Person, person: Person, occasion: str
    ) -> tuple[Known, list[PendingBatch]]:
        """Return the row of a person whose identifiers changed from ``former`` to ``person``, and the writes:
        as ``meet``."""
        former = normal(self._channel, former)
        known = self.find(partition, account, former)
        if known is None:
            return self.meet(partition, account, merged(former, person), occasion)
        person = normal(self._channel, person)
        known = replace(known, person=merged(known.person, person))
        found, strangers = self._rows_of(partition, account, known.person)
        others = [row for row in found if row.person_id != known.person_id]
        return self._settle(partition, account, known, person, others, strangers)

    def put(self, partition: int, account: str, row: Known) -> PendingBatch:
        """Store a person's row."""
        key = rows.row_key(rows.PERSON, account, row.person_id)
        return self._table.put(partition, key, rows.dump_known(row))

    def take_left(self) -> list[Known]:
        """Return, once, the rows of those who lost an identifier to the person of the last ``meet`` or ``rename``."""
        left, self._left = self._left, []
        return left

    def _rows_of(self, partition: int, account: str, person: Person) -> tuple[list[Known], list[Known]]:
        """Return the rows with one of the person's identifiers, and those of other people that have one of them."""
        found: dict[str, Known] = {}
        strangers: dict[str, Known] = {}
        for identifier in person.identifiers:
            known = self._identified(partition, account, identifier)
            if known is None or known.person_id in found:
                continue
            merged_so_far = next(iter(found.values()), known)
            is_former = identifier not in known.person.identifiers  # given up: it may be anybody's by now
            is_other = is_former or are_two(known.person, person) or are_two(known.person, merged_so_far.person)
            (strangers if is_other else found)[known.person_id] = known
        return list(found.values()), list(strangers.values())

    def _settle(
        self,
        partition: int,
        account: str,
        kept: Known,
        person: Person,
        others: list[Known],
        strangers: list[Known],
    ) -> tuple[Known, list[PendingBatch]]:
        writes = []
        self._left = []
        for other in others:
            kept = united(kept, other)
            writes.append(self._table.put(partition, rows.row_key(rows.PERSON, account, other.person_id), None))
        kept = replace(kept, person=merged(kept.person, person))
        for stranger in strangers:
            if stranger.person_id == kept.person_id:  # the row as it was before
                continue
            left = replace(stranger, person=without(stranger.person, kept.person.identifiers))
            writes.append(self.put(partition, account, left))
            kept = replace(kept, at_ms=max(kept.at_ms, left.at_ms + 2))  # so its contacts are the last word
            if left.person != stranger.person:
                self._left.append(left)
        pointed = {*kept.person.identifiers, *(one for other in others for one in other.person.identifiers)}
        name = kept.person_id.encode()
        for identifier in sorted(pointed):
            key = rows.row_key(rows.IDENTIFIER, account, identifier)
            if self._table.get_bytes(partition, key) != name:
                writes.append(self._table.put(partition, key, name))
        return kept, writes

    def _identified(self, partition: int, account: str, identifier: str) -> Known | None:
        person_id = self._table.get_bytes(partition, rows.row_key(rows.IDENTIFIER, account, identifier))
        if person_id is None:
            return None
        value = self._table.get_bytes(partition, rows.row_key(rows.PERSON, account, person_id.decode()))
        return None if value is None else rows.load_known(value)
