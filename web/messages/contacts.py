"""The address book at acceptance: Cassandra's contacts, and the newer ones on the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from aiohttp import web
from cachetools import LRUCache

from channels.manifest import CAPABILITIES, has_people
from domain.accounts import Account
from domain.errors import NotDeliverable, Unavailable
from domain.inbound import ContactChanged, Person
from domain.reach import ANYWHERE, OutOfReach, Reach, account_for, reach
from domain.recipients import INTERNAL
from domain.records import MessageAccepted
from web.circuit import COOLDOWN_SECONDS, CircuitBreaker
from web.history.inbound import Heard, RecentInbound

if TYPE_CHECKING:
    from domain.ports import ContactStore
    from web.http.metrics import Metrics

REMEMBERED = 50_000
FRESH_SECONDS = 10.0
MAX_SHOWN = 256
LOOK_UPS_AT_ONCE = 32
_HOUR_MS = 3_600_000

Contacts = Sequence[ContactChanged]


@dataclass(frozen=True, slots=True)
class _Known:
    contacts: Contacts
    asked_at: float
    number: int  # of ``RecentInbound`` at that time


class AddressBook:
    """The contacts of persons, by address. Bounded; read again after ``FRESH_SECONDS``, or when the person writes.

    While Cassandra is unavailable the cached contacts stay in use.
    """

    def __init__(
        self,
        store: ContactStore,
        inbound: RecentInbound,
        accounts: Mapping[str, Sequence[Account]],
        metrics: Metrics,
        clock_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._inbound = inbound
        self._accounts = {
            channel: {account.name: account for account in of_channel} for channel, of_channel in accounts.items()
        }
        self._with_people = {
            channel for channel, of_channel in self._accounts.items() if any(map(has_people, of_channel.values()))
        }
        self._clock_ms = clock_ms
        self._monotonic = monotonic
        self._known: LRUCache[str, _Known] = LRUCache(REMEMBERED)
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        self._circuit = CircuitBreaker(monotonic, COOLDOWN_SECONDS)

    def has_people(self, channel: str) -> bool:
        """Return whether an account of ``channel`` has a real provider, so there may be contacts."""
        return channel in self._with_people

    async def reach(self, message: MessageAccepted, address: str) -> Reach:
        """Return how the person at ``address`` gets the message.

        Raises ``NotDeliverable`` if the person wants no messages, if the reply window is closed to this kind, or for
        a handle that the account does not know. Nothing is checked for an account without a real provider.
        """
        found = await self._reach(message, address)
        if isinstance(found, OutOfReach):
            raise self._refused(found)
        return found

    async def reach_all(
        self, message: MessageAccepted, owners: Mapping[str, str]
    ) -> tuple[Mapping[str, str], Sequence[Reach]]:
        """Return ``owners`` (the addresses with their users) and how each is reached.

        A user who cannot be reached on a channel now is so inside the system. Raises ``NotDeliverable`` if no address
        can be reached; of several, the channel's worker fails those that cannot, with the reason, and the others get
        the message.
        """
        if not any(self.has_people(address.partition(":")[0]) for address in owners):
            return owners, ()
        found = await asyncio.gather(*(self._reach(message, address) for address in owners))
        reached: dict[str, str] = {}
        faults = []
        for (address, user), one in zip(owners.items(), found, strict=True):
            if isinstance(one, OutOfReach):
                if not user:
                    faults.append(one)
                else:
                    address = f"{INTERNAL}:{user}"
            reached[address] = user
        if faults and len(faults) == len(owners):
            raise self._refused(faults[0])
        return reached, [ANYWHERE if isinstance(one, OutOfReach) else one for one in found]

    def _refused(self, found: OutOfReach) -> NotDeliverable:
        self._metrics.messages_undeliverable.count(found.reason)
        return NotDeliverable(found.reason, found.detail)

    async def _reach(self, message: MessageAccepted, address: str) -> Reach | OutOfReach:
        channel = address.partition(":")[0]
        if not self.has_people(channel):
            return ANYWHERE
        accounts = self._accounts[channel]
        contacts = await self.of(address)
        chosen = message.account or account_for(contacts or (), message.conversation_id, address, accounts)
        account = accounts.get(chosen)
        if account is None or not has_people(account):
            return ANYWHERE
        return reach(address, message.kind, contacts, account, CAPABILITIES[channel].content, self._clock_ms())

    async def people(self, participants: Iterable[str]) -> Mapping[str, Contacts]:
        """Return the contact of each address among ``participants``, as far as it can be read.

        At most ``MAX_SHOWN`` of them, which bounds the look-ups for one response.
        """
        addresses = (one for one in participants if self.has_people(one.partition(":")[0]))
        wanted = list(islice(dict.fromkeys(addresses), MAX_SHOWN))
        found = await asyncio.gather(*map(self.of, wanted))
        return {address: contacts for address, contacts in zip(wanted, found, strict=True) if contacts}

    async def of(self, address: str) -> Contacts | None:
        """Return each account's contact of the person, ``None`` if it cannot be read and is not cached."""
        channel, _, name = address.partition(":")
        heard = self._inbound.of(address)
        known = self._known.get(address)
        newest = max((one.number for one in heard.values()), default=0)
        is_fresh = known is not None and self._monotonic() - known.asked_at < FRESH_SECONDS and known.number >= newest
        if not is_fresh:
            number, asked_at = self._inbound.number, self._monotonic()
            try:
                async with self._look_up_slots:
                    contacts = await self._circuit.call(lambda: self._store.of(channel, name))
                known = self._known[address] = _Known(tuple(contacts), asked_at, number)
            except Unavailable:
                if known is None and not heard:
                    return None
        return _joined(address, () if known is None else known.contacts, heard)


def _joined(address: str, contacts: Contacts, heard: Mapping[str, Heard]) -> Contacts:
    """Return the contacts with what the person's last messages say of window, conversation and opt-out."""
    if not heard:
        return contacts
    channel = address.partition(":")[0]
    window_ms = CAPABILITIES[channel].content.window_hours * _HOUR_MS if channel in CAPABILITIES else 0
    found = {one.account: one for one in contacts}
    for account, last in heard.items():
        until_ms = last.at_ms + window_ms if window_ms else 0
        known = found.get(account)
        if known is None:
            person = Person(name=last.name)
            found[account] = ContactChanged(
                channel, account, address, last.conversation_id, "", person, until_ms, False, last.at_ms
            )
        elif last.at_ms > known.at_ms:
            until_ms = max(until_ms, known.window_until_ms)
            found[account] = replace(
                known, conversation_id=last.conversation_id, window_until_ms=until_ms, opted_out=False
            )
    return tuple(found.values())


ADDRESS_BOOK = web.AppKey("address_book", AddressBook)
