"""The address book, as the API reads it: what is known of the people whom our accounts write to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.inbound import ContactChanged

MAX_CONTACT_ACCOUNTS = 1_000  # of one identifier: as many as a channel may have


class ContactStore(Protocol):
    """For each identifier of a person and each account of ours: the last ``ContactChanged`` about that person."""

    async def of(self, channel: str, address: str) -> Sequence[ContactChanged]:
        """Return the contacts with this identifier, one for each account that knows it, by name of the account.

        ``address``: without the channel, in its normal form (``Recipient.address``): a phone number, a handle, or the
        provider's own id. Also an identifier that the person had before finds them: ``to`` is what the provider takes
        now. Raises ``StoreUnavailable``.
        """
        ...

    async def write(self, changes: Sequence[ContactChanged]) -> None:
        """Store each change under its address, unless it is taken, and each identifier of its person; a later ``at_ms``
        wins.

        Raises ``StoreUnavailable``; then any of them may be stored: write them again.
        """
        ...


def keys_of(change: ContactChanged) -> Sequence[str]:
    """Return the identifiers, without the channel, under which ``change`` is found."""
    names = ("" if change.is_taken else change.address.partition(":")[2], *change.person.identifiers)
    return tuple(dict.fromkeys(name for name in names if name))
