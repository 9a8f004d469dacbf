"""Reactions to messages: each is a message of its own, and is shown beside its target, too."""

from __future__ import annotations

from dataclasses import dataclass

from domain.bodies import reaction_of
from domain.errors import MalformedRecord
from domain.kinds import REACTION
from domain.records import MessageAccepted


@dataclass(frozen=True, slots=True)
class PersonReaction:
    """The last reaction of ``by`` (a user id or an address) to the message ``message_id``.

    ``offset``: of the reaction on ``messages``; of two reactions of one person the later one counts. ``emoji``: empty
    if the reaction was taken back. ``at_ms``: epoch milliseconds.
    """

    message_id: str
    by: str
    emoji: str
    at_ms: int
    offset: int


def reaction_in(message: MessageAccepted, accepted_at_ms: int, offset: int) -> PersonReaction | None:
    """Return the reaction that the message is; ``None`` for other kinds, and for one without a target."""
    if message.kind != REACTION:
        return None
    try:
        found = reaction_of(message.body)
    except MalformedRecord:
        return None
    if not found.message_id:
        return None
    return PersonReaction(
        found.message_id, message.sender_id, found.emoji, message.sent_at_ms or accepted_at_ms, offset
    )
