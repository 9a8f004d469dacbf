"""The messages that others answer or react to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from domain.bodies import reaction_of
from domain.errors import NotFound
from domain.kinds import REACTION
from domain.ports import StoredMessage
from domain.recipients import INTERNAL
from domain.records import MessageAccepted
from web.conversations.memberships import Memberships
from web.errors import FieldErrors
from web.messages.attached_files import require_inside

if TYPE_CHECKING:
    from web.history.service import MessageHistory

# one text for all cases: it must not reveal messages of other conversations
NO_SUCH_MESSAGE = "the conversation has no such message"


class MessageTargets:
    """Finds the target of an answer or a reaction, a message of the same conversation."""

    def __init__(self, history: MessageHistory, memberships: Memberships) -> None:
        self._history = history
        self._memberships = memberships

    async def aim(self, message: MessageAccepted) -> tuple[MessageAccepted, MessageAccepted | None]:
        """Return the message with the provider's id of its target, and the target; ``None`` if it has none.

        The provider's id is known here of a person's message alone. Of ours, the channel's worker knows it. Raises
        ``FieldErrors`` if the conversation has no such message, ``NotAllowed`` for a sender outside the conversation,
        and ``Unavailable`` while a view with the target cannot be read.
        """
        is_reaction = message.kind == REACTION
        if not (is_reaction or message.reply_to):
            return message, None
        field = "reaction.message_id" if is_reaction else "reply_to"
        no_such = FieldErrors([(field, NO_SUCH_MESSAGE)])
        await require_inside(self._memberships, message, no_such)
        target = await self._find(message, no_such)
        if target.kind == REACTION:
            raise FieldErrors([(field, "must not be a reaction")])
        if target.is_inbound and target.provider_id:
            message = replace(message, target_id=target.provider_id, target_address=target.sender_id)
        return message, target

    async def _find(self, message: MessageAccepted, no_such: FieldErrors) -> MessageAccepted:
        message_id = reaction_of(message.body).message_id if message.kind == REACTION else message.reply_to
        try:
            found: StoredMessage = await self._history.find(message_id)
        except NotFound:
            raise no_such from None
        if found.message.conversation_id != message.conversation_id:
            raise no_such
        return found.message


def may_see(target: MessageAccepted, address: str) -> bool:
    """Return whether ``address`` has the target, so a reaction to it means something there."""
    if address.startswith(f"{INTERNAL}:"):
        return True
    return address == target.sender_id or address in target.targets
