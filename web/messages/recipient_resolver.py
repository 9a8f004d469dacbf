"""Resolve the recipients of a message without an address: everyone in the conversation, or one user.

A user is reached on the first linked channel, else inside the system. The decision is made on acceptance and stored
in the message's record, so workers need no Cassandra and do not decide anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cachetools import LRUCache

from channels.manifest import CAPABILITIES
from domain.accounts import AccountNames, account_fault
from domain.addresses import normal_address
from domain.attachments import header_fault, text_fault
from domain.conversations import is_address
from domain.degradation import body_fault
from domain.direct import is_direct
from domain.errors import Unavailable
from domain.kinds import REACTION, TEMPLATE, TEXT
from domain.ports import Identity
from domain.reach import Reach
from domain.recipients import INTERNAL
from domain.records import MAX_RECIPIENTS, MessageAccepted
from web.errors import FieldErrors
from web.messages.targets import may_see

if TYPE_CHECKING:
    from domain.ports import ConversationStore, IdentityStore, UserStore
    from web.conversations.memberships import Memberships
    from web.conversations.opener import ConversationOpener
    from web.conversations.participants import Participants
    from web.history.service import MessageHistory
    from web.messages.contacts import AddressBook

REMEMBERED = 50_000
FRESH_SECONDS = 10.0
LOOK_UPS_AT_ONCE = 32
CATCH_UP_SECONDS = 1.0


def first_linked(user_id: str, identities: Sequence[Identity]) -> str:
    """Return the user's address: the identity linked first (then by platform, then by value), else the internal one.

    A contested identity (claimed by several users) does not count until one of them proves it.
    """
    identities = [one for one in identities if not one.contested]
    if not identities:
        return f"{INTERNAL}:{user_id}"
    first = min(identities, key=lambda one: (one.linked_at_ms, one.platform, one.value))
    return f"{first.platform}:{first.value}"


class RecipientResolver:
    """Checks the sender's membership and resolves the recipients of messages.

    A linked channel is read again after ``FRESH_SECONDS``; while Cassandra is unavailable, the cached one stays in
    use.
    """

    def __init__(
        self,
        *,
        users: UserStore,
        identities: IdentityStore,
        conversations: ConversationStore,
        memberships: Memberships,
        conversation_opener: ConversationOpener,
        participants: Participants,
        history: MessageHistory,
        address_book: AddressBook,
        accounts: AccountNames,
        monotonic: Callable[[], float],
    ) -> None:
        self._user_store = users
        self._identities = identities
        self._conversations = conversations
        self._memberships = memberships
        self._conversation_opener = conversation_opener
        self._known_participants = participants
        self._history = history
        self._address_book = address_book
        self._accounts = accounts
        self._monotonic = monotonic
        self._addresses: LRUCache[str, tuple[str, float]] = LRUCache(REMEMBERED)
        self._users: LRUCache[str, bool] = LRUCache(REMEMBERED)
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

    async def resolve(self, message: MessageAccepted, target: MessageAccepted | None = None) -> MessageAccepted:
        """Check the sender's membership; return the message with its recipients.

        A conversation that does not exist is created with the sender and the named recipient. A message without
        recipients is for everyone, and nobody else takes part yet. A reaction to ``target`` goes to those who have
        the target. Raises ``NotAllowed``, ``Unavailable``,
        and ``FieldErrors`` for an unknown recipient, for a text too long for an address, or for an
        account that the channel of a recipient does not have.
        """
        conversation_id, sender_id, recipient_id = message.conversation_id, message.sender_id, message.recipient_id
        if not recipient_id:
            users = await self._others(conversation_id, sender_id)
            if not users:
                self._require_account(message, ())
                return message  # it stands in the conversation, for those who join later
        elif is_address(recipient_id):
            _require_fits(recipient_id, message)
            self._require_account(message, (recipient_id,))
            found = await self._address_book.reach(message, recipient_id)
            await self._conversation_opener.open(conversation_id, sender_id, recipient_id)
            return _with_reaches(message, (found,))
        else:
            await self._named(conversation_id, sender_id, recipient_id)
            users = [recipient_id]
        reached = await asyncio.gather(*map(self._address_of, users))
        owners = _owners(message, target, list(zip(reached, users, strict=True)))
        self._require_account(message, tuple(owners))
        reachable, reaches = await self._address_book.reach_all(message, owners)
        message = replace(message, recipients=tuple(reachable), recipient_users=tuple(reachable.values()))
        return _with_reaches(message, reaches)

    def _require_account(self, message: MessageAccepted, addresses: Sequence[str]) -> None:
        """Raise ``FieldErrors`` if the message's account cannot send to all addresses."""
        if fault := account_fault(message.account, addresses, self._accounts):
            raise FieldErrors([("account", fault)])

    async def stored(self, conversation_id: str) -> None:
        """Return once the conversation is in the store, if ``resolve`` began it, or cannot be for now."""
        await self._conversation_opener.stored(conversation_id)

    def forget(self, user_id: str) -> None:
        """Drop the user's cached address after an identity was linked or unlinked."""
        self._addresses.pop(user_id, None)

    async def _others(self, conversation_id: str, sender_id: str) -> Sequence[str]:
        """Return the other participants, up to ``MAX_RECIPIENTS``. Raises ``FieldErrors`` if there are more."""
        if await self._memberships.join_or_create(conversation_id, sender_id):
            return ()
        found = [one for one in await self._everyone(conversation_id, sender_id) if one != sender_id]
        if len(found) > MAX_RECIPIENTS:
            raise _wrong(f"is required: this conversation has more than {MAX_RECIPIENTS} other participants")
        return found

    async def _everyone(self, conversation_id: str, sender_id: str) -> Sequence[str]:
        """Return the present participants, as far as any process has accepted them."""
        participants = self._known_participants
        is_lasting = self._memberships.is_lasting(conversation_id, sender_id)
        if is_lasting and not is_direct(conversation_id):
            # an address that another process let in is in the log before it is in the store
            await self._history.catch_up(CATCH_UP_SECONDS)
        found = await participants.of_now(conversation_id)
        if sender_id not in found:  # remembered from before it was created
            participants.forget(conversation_id)
            found = await participants.of_now(conversation_id)
        if is_lasting:
            self._conversation_opener.write_joins(conversation_id)
        return found

    async def _named(self, conversation_id: str, sender_id: str, user_id: str) -> None:
        """Check both memberships: a recipient must be able to read the message in the conversation."""
        if not self._users.get(user_id):
            if await self._user_store.by_id(user_id) is None:
                raise _wrong(f"there is no user {user_id}")
            self._users[user_id] = True
        if is_direct(conversation_id):
            await self._conversation_opener.open_direct(conversation_id, sender_id, user_id)
            return
        await self._memberships.join_or_create(conversation_id, sender_id, user_id)
        if user_id not in await self._participants(conversation_id, user_id):
            raise _wrong(f"user {user_id} is not a participant of this conversation")

    async def _participants(self, conversation_id: str, wanted: str) -> Sequence[str]:
        """Return the participants; read them again from the store if the cached ones lack ``wanted``."""
        found = await self._known_participants.of(conversation_id)
        if wanted in found:
            return found
        return await self._conversations.participants(conversation_id) or ()

    async def _address_of(self, participant_id: str) -> str:
        if is_address(participant_id):
            return normal_address(participant_id)  # an older release may have written another form
        known = self._addresses.get(participant_id)
        now = self._monotonic()
        if known is not None and now - known[1] < FRESH_SECONDS:
            return known[0]
        try:
            async with self._look_up_slots:
                identities = await self._identities.of_user(participant_id)
        except Unavailable:
            if known is None:
                raise
            return known[0]
        address = first_linked(participant_id, identities)
        self._addresses[participant_id] = (address, now)
        return address


def _with_reaches(message: MessageAccepted, reaches: Sequence[Reach]) -> MessageAccepted:
    """Return the message with the identifiers and accounts by which its recipients are reached."""
    ids = tuple(one.to for one in reaches)
    accounts = () if message.account else tuple(one.account for one in reaches)
    if not any(ids) and not any(accounts):
        return message
    return replace(message, recipient_ids=ids if any(ids) else (), recipient_accounts=accounts if any(accounts) else ())


def _owners(
    message: MessageAccepted, target: MessageAccepted | None, reached: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Return the addresses of the message with their users, empty for a participating address.

    ``reached``: each participant's address, and the participant. Raises ``FieldErrors`` if an address cannot have the
    message; of a reaction only if no address can.
    """
    owners: dict[str, str] = {}
    faults: list[FieldErrors] = []
    for reachable, participant in reached:
        try:
            address = _fitting(reachable, participant, message)
            if message.kind == REACTION and target is not None and not may_see(target, address):
                raise FieldErrors([("reaction", f"{address} does not have the message")])
        except FieldErrors as fault:
            if message.kind != REACTION:
                raise
            faults.append(fault)
            continue
        # two may be one: a user, and the very address that the user linked
        if address not in owners or not is_address(participant):
            owners[address] = "" if is_address(participant) else participant
    if faults and not owners:
        raise faults[0]
    return owners


def _fitting(address: str, participant_id: str, message: MessageAccepted) -> str:
    """Return the participant's address for the message; the channel may not take one of this kind or length.

    A user with a linked channel then gets it inside the system. An address has no other place: raises
    ``FieldErrors``.
    """
    if is_address(participant_id):
        _require_fits(address, message)
    elif _fault(address, message):
        return f"{INTERNAL}:{participant_id}"
    return address


def _fault(address: str, message: MessageAccepted) -> str | None:
    """Return why the channel of ``address`` does not take the message. Inside the system everything goes."""
    if message.kind == TEXT:
        return text_fault(address, message.content, CAPABILITIES) if message.file_id is None else None
    channel = address.partition(":")[0]
    capabilities = CAPABILITIES.get(channel)
    if capabilities is None:
        return None
    has_file = message.file_id is not None
    fault = body_fault(message.kind, message.body, message.content, has_file, channel, capabilities)
    if fault is None and message.kind == TEMPLATE and message.file is not None:
        return header_fault(channel, capabilities, message.file)
    return fault


def _require_fits(address: str, message: MessageAccepted) -> None:
    """Raise ``FieldErrors`` if the channel does not take the message. Beside a file texts are cut instead."""
    if fault := _fault(address, message):
        raise FieldErrors([("content" if message.kind == TEXT else message.kind, fault)])


def _wrong(detail: str) -> FieldErrors:
    return FieldErrors([("recipient_id", detail)])
