"""The address book."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from domain.inbound import ContactChanged, Person
from domain.ports.contacts import MAX_CONTACT_ACCOUNTS, keys_of
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

MAX_WRITES_AT_ONCE = 32

_COLUMNS = (
    "channel, account, address, conversation_id, recipient, phone, user_id, handle, name, window_until_ms, opted_out,"
    " at_ms"
)
_OF = f"SELECT {_COLUMNS} FROM {{ks}}.contacts WHERE channel = ? AND identifier = ? LIMIT {MAX_CONTACT_ACCOUNTS}"
_WRITE = (
    f"INSERT INTO {{ks}}.contacts ({_COLUMNS}, identifier) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " USING TIMESTAMP ?"
)


class CassandraContactStore:
    """``domain.ports.ContactStore`` on Cassandra."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._slots = asyncio.Semaphore(MAX_WRITES_AT_ONCE)

    async def of(self, channel: str, address: str) -> Sequence[ContactChanged]:
        """Return the contacts with this identifier, by name of the account. Raises ``StoreUnavailable``."""
        if not is_possible_key(address):
            return []
        return [_contact(*row) for row in await self._session.run(_OF, (channel, address), Access.READ)]

    async def write(self, changes: Sequence[ContactChanged]) -> None:
        """Store each change under its identifiers; a later ``at_ms`` wins. Raises ``StoreUnavailable``."""
        rows = [(change, key) for change in changes for key in keys_of(change) if is_possible_key(key)]
        async with self._session.deadline():
            await asyncio.gather(*(self._write(change, key) for change, key in rows))

    async def _write(self, c: ContactChanged, identifier: str) -> None:
        p = c.person
        person = (p.phone, p.user_id, p.handle, p.name)
        contact = (c.channel, c.account, c.address, c.conversation_id, c.to, *person, c.window_until_ms, c.opted_out)
        async with self._slots:
            await self._session.run(_WRITE, (*contact, c.at_ms, identifier, c.at_ms * 1000), Access.WRITE)


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
