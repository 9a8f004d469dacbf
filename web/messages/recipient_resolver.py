"""To whom a message goes that names no address: everyone in the conversation, or a user of the system.

Users are reached on the channel that they linked first, else inside the system. That is decided when the message is
accepted and written into its record, so that the workers need neither Cassandra nor a later opinion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cachetools import LRUCache

from domain.addresses import normal_address
from domain.attachments import text_fault
from domain.conversations import is_address
from domain.direct import is_direct
from domain.errors import Unavailable
from domain.ports import Identity
from domain.recipients import INTERNAL
from domain.records import MAX_RECIPIENTS, MessageAccepted
from web.errors import FieldErrors

if TYPE_CHECKING:
    from domain.ports import ConversationStore, IdentityStore, UserStore
    from web.conversations.memberships import Memberships
    from web.conversations.opener import ConversationOpener
    from web.conversations.participants import Participants
    from web.history.follower_port import Follower

REMEMBERED = 50_000
FRESH_SECONDS = 10.0
LOOK_UPS_AT_ONCE = 32
CATCH_UP_SECONDS = 1.0


def first_linked(user_id: str, identities: Sequence[Identity]) -> str:
    """Return where the user is reached: at the identity linked first (then by platform, then by value), else here.

    An identity that others claim too is nobody's until somebody proves it.
    """
    identities = [one for one in identities if not one.contested]
    if not identities:
        return f"{INTERNAL}:{user_id}"
    first = min(identities, key=lambda one: (one.linked_at_ms, one.platform, one.value))
    return f"{first.platform}:{first.value}"


class RecipientResolver:
    """Admits messages to their conversations and finds out whom they are for.

    A linked channel is asked for again after ``FRESH_SECONDS``; while Cassandra is away, what was known stands.
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
        follower: Follower,
        monotonic: Callable[[], float],
    ) -> None:
        self._user_store = users
        self._identities = identities
        self._conversations = conversations
        self._memberships = memberships
        self._conversation_opener = conversation_opener
        self._known_participants = participants
        self._follower = follower
        self._monotonic = monotonic
        self._addresses: LRUCache[str, tuple[str, float]] = LRUCache(REMEMBERED)
        self._users: LRUCache[str, bool] = LRUCache(REMEMBERED)
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

    async def resolve(self, message: MessageAccepted) -> MessageAccepted:
        """Make sure that the sender takes part in the conversation; return the message with its recipients.

        A conversation that does not exist is begun, with the sender and whom the message names. Without recipients the
        message is for everyone, and nobody else takes part yet. Raises ``NotAllowed``, ``Unavailable``, ``Conflict``,
        and ``FieldErrors`` about a recipient who is not there, or a text that an address does not take.
        """
        conversation_id, sender_id, recipient_id = message.conversation_id, message.sender_id, message.recipient_id
        if not recipient_id:
            users = await self._others(conversation_id, sender_id)
            if not users:
                return message  # it stands in the conversation, for those who join later
        elif is_address(recipient_id):
            _require_fits(recipient_id, message)
            await self._conversation_opener.open(conversation_id, sender_id, recipient_id)
            return message
        else:
            await self._named(conversation_id, sender_id, recipient_id)
            users = [recipient_id]
        reached = await asyncio.gather(*map(self._address_of, users))
        owners: dict[str, str] = {}
        for reachable, participant in zip(reached, users, strict=True):
            address = _for_text(reachable, participant, message)
            # two may be one: a user, and the very address that the user linked
            if address not in owners or not is_address(participant):
                owners[address] = "" if is_address(participant) else participant
        return replace(message, recipients=tuple(owners), recipient_users=tuple(owners.values()))

    def forget(self, user_id: str) -> None:
        """The user linked or unlinked an identity."""
        self._addresses.pop(user_id, None)

    async def _others(self, conversation_id: str, sender_id: str) -> Sequence[str]:
        """Return who else takes part: up to ``MAX_RECIPIENTS``."""
        if await self._memberships.join_or_create(conversation_id, sender_id):
            return ()
        found = [one for one in await self._everyone(conversation_id, sender_id) if one != sender_id]
        if len(found) > MAX_RECIPIENTS:
            raise _wrong(f"is required: more than {MAX_RECIPIENTS} others take part in this conversation")
        return found

    async def _everyone(self, conversation_id: str, sender_id: str) -> Sequence[str]:
        """Return who takes part now, as far as any process has accepted it."""
        participants = self._known_participants
        is_lasting = self._memberships.is_lasting(conversation_id, sender_id)
        if is_lasting and not is_direct(conversation_id):
            # an address that another process let in is in the log before it is in the store
            await self._follower.catch_up(CATCH_UP_SECONDS)
        found = await participants.of_now(conversation_id)
        if sender_id not in found:  # remembered from before it was created
            participants.forget(conversation_id)
            found = await participants.of_now(conversation_id)
        if is_lasting:
            self._conversation_opener.write_joins(conversation_id)
        return found

    async def _named(self, conversation_id: str, sender_id: str, user_id: str) -> None:
        """Make sure that both take part. Only who can read a message there can get it."""
        if not self._users.get(user_id):
            if await self._user_store.by_id(user_id) is None:
                raise _wrong(f"there is no user {user_id}")
            self._users[user_id] = True
        if is_direct(conversation_id):
            await self._conversation_opener.open_direct(conversation_id, sender_id, user_id)
            return
        await self._memberships.join_or_create(conversation_id, sender_id, user_id)
        if user_id not in await self._participants(conversation_id, user_id):
            raise _wrong(f"user {user_id} takes no part in this conversation")

    async def _participants(self, conversation_id: str, wanted: str) -> Sequence[str]:
        """Return who takes part; asked anew if ``wanted``, who should be among them, is not."""
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


def _for_text(address: str, participant_id: str, message: MessageAccepted) -> str:
    """Return where the message's text goes to the participant. Their channel may not take so much.

    A user's link is the user's own affair: then the text is read inside the system. An address has no other place, so
    the sender is told: raises ``FieldErrors``.
    """
    if is_address(participant_id):
        _require_fits(address, message)
    elif message.file_id is None and text_fault(address, message.content):
        return f"{INTERNAL}:{participant_id}"
    return address


def _require_fits(address: str, message: MessageAccepted) -> None:
    """Raise ``FieldErrors`` if the channel does not take the text in one message. Beside a file texts are cut."""
    if message.file_id is None and (fault := text_fault(address, message.content)):
        raise FieldErrors([("content", fault)])


def _wrong(detail: str) -> FieldErrors:
    return FieldErrors([("recipient_id", detail)])
