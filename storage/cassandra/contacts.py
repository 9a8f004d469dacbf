"""The address book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from domain.inbound import ContactChanged, Person
from domain.ports.contacts import MAX_CONTACT_ACCOUNTS, keys_of
from storage.cassandra.batches import BatchWriter, sized
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.gathered_reads import GatheredReads
from storage.cassandra.session import CassandraSession

_COLUMNS = (
    "channel, account, address, conversation_id, recipient, phone, user_id, handle, name, window_until_ms, opted_out,"
    " at_ms"
)
_OF = f"SELECT {_COLUMNS} FROM {{ks}}.contacts WHERE channel = ? AND identifier = ? LIMIT {MAX_CONTACT_ACCOUNTS}"
_MOST_ROWS = 4_000  # of one answer: the driver's pages have 5,000
_OF_SEVERAL = (
    f"SELECT identifier, {_COLUMNS} FROM {{ks}}.contacts WHERE channel = ? AND identifier IN ?"
    f" PER PARTITION LIMIT {MAX_CONTACT_ACCOUNTS} LIMIT {_MOST_ROWS}"
)
_WRITE = (
    f"INSERT INTO {{ks}}.contacts ({_COLUMNS}, identifier) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " USING TIMESTAMP ?"
)


class CassandraContactStore:
    """``domain.ports.ContactStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._writer = BatchWriter(session)
        self._reads: dict[str, GatheredReads[Sequence[ContactChanged]]] = {}

    async def of(self, channel: str, address: str) -> Sequence[ContactChanged]:
        """Return the contacts with this identifier, by name of the account. Raises ``StoreUnavailable``."""
        if not is_possible_key(address):
            return []
        reads = self._reads.get(channel)
        if reads is None:
            reads = self._reads[channel] = GatheredReads(partial(self._of_several, channel))
        return await reads.of(address)

    async def _of_several(self, channel: str, identifiers: Sequence[str]) -> Mapping[str, Sequence[ContactChanged]]:
        found: dict[str, list[ContactChanged]] = {identifier: [] for identifier in identifiers}
        if len(identifiers) > 1:
            rows = await self._session.run(_OF_SEVERAL, (channel, list(identifiers)), Access.READ)
            if len(rows) < _MOST_ROWS:
                for identifier, *row in rows:
                    found[identifier].append(_contact(*row))
                return found
        for identifier in identifiers:
            rows = await self._session.run(_OF, (channel, identifier), Access.READ)
            found[identifier] = [_contact(*row) for row in rows]
        return found

    async def write(self, changes: Sequence[ContactChanged]) -> None:
        """Store each change under its identifiers; a later ``at_ms`` wins. Raises ``StoreUnavailable``."""
        rows = [(change, key) for change in changes for key in keys_of(change) if is_possible_key(key)]
        async with self._session.deadline():
            driver = await self._session.driver()
            statement = await driver.prepare(_WRITE, Access.WRITE)
            await self._writer.send(driver, [sized(statement.bind(_row(change, key))) for change, key in rows])


def _row(c: ContactChanged, identifier: str) -> tuple[object, ...]:
    p = c.person
    person = (p.phone, p.user_id, p.handle, p.name)
    contact = (c.channel, c.account, c.address, c.conversation_id, c.to, *person, c.window_until_ms, c.opted_out)
    return (*contact, c.at_ms, identifier, c.at_ms * 1000)


def _contact(
    channel: str,
    account: str,
    address: str,
    conversation_id: str,
    to: str,
    phone: str,
    user_id: str,
    handle: str,
    name: str,
    window_until_ms: int,
    opted_out: bool,
    at_ms: int,
) -> ContactChanged:
    return ContactChanged(
        channel=channel,
        account=account,
        address=address,
        conversation_id=conversation_id,
        to=to,
        person=Person(phone, user_id, handle, name),
        window_until_ms=window_until_ms,
        opted_out=opted_out,
        at_ms=at_ms,
    )
