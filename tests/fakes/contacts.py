"""The fake of the address book: a dict in place of its table."""

from __future__ import annotations

from collections.abc import Sequence

from domain.inbound import ContactChanged
from domain.ports.contacts import keys_of
from fakes.stores import Outage


class MemoryContacts(Outage):
    """``ContactStore`` over one dict."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[tuple[str, str], dict[str, ContactChanged]] = {}

    async def of(self, channel: str, address: str) -> Sequence[ContactChanged]:
        """Return the contacts with this identifier, by name of the account."""
        self.check()
        found = self.rows.get((channel, address), {})
        return [found[account] for account in sorted(found)]

    async def write(self, changes: Sequence[ContactChanged]) -> None:
        """Store each change under its identifiers; a later ``at_ms`` wins."""
        self.check()
        for change in changes:
            for key in keys_of(change):
                accounts = self.rows.setdefault((change.channel, key), {})
                known = accounts.get(change.account)
                if known is None or change.at_ms >= known.at_ms:
                    accounts[change.account] = change
