"""Makes a message of a person's act, and finds its conversation and the participants. Pure but for a log line."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from domain.accounts import Account
from domain.direct import INBOUND_PREFIX
from domain.errors import MalformedRecord
from domain.ids import inbound_message_id
from domain.inbound import Happening, InboundEvent
from domain.kinds import FILE, INBOUND, KINDS, REACTION, TEXT, UNSUPPORTED
from domain.people import is_stop_word
from domain.records import MAX_RECIPIENTS, MessageAccepted
from domain.usernames import PREFIX, folded
from tables.people import MOST_ID_BYTES, Message

log = logging.getLogger(__name__)

MAX_TEXT_CHARS = 16_384  # of a person's message


class InboundAccount:
    """An account's settings for inbound messages, from ``accounts.toml``: ``inbox`` and ``stop_words``."""

    def __init__(self, account: Account) -> None:
        self._account = account
        names = _words_of(account.options.get("inbox", ""))[: MAX_RECIPIENTS - 1]
        self._inbox = tuple(PREFIX + folded(name.removeprefix(PREFIX)) for name in names)
        self._stop_words = _words_of(account.options.get("stop_words", "").casefold())
        self._has_warned = False

    def is_stop_word(self, text: str) -> bool:
        """Return whether a person opts out by this text."""
        return is_stop_word(text, self._stop_words)

    def members(self, conversation_id: str, address: str) -> tuple[str, ...]:
        """Return with whom the conversation is made, if a person's message makes it: the inbox and the person."""
        if not conversation_id.startswith(INBOUND_PREFIX):
            return ()
        if not self._inbox and not self._has_warned:
            self._has_warned = True
            log.warning(
                "the account %s of %s has no inbox: nobody sees what new people write. Add inbox = "
                '"username" to its entry in accounts.toml',
                self._account.name,
                self._account.channel,
            )
        return (*self._inbox, address)


def message_of(
    channel: str,
    event: InboundEvent,
    conversation_id: str,
    address: str,
    name: str,
    target: Message | None,
    members: tuple[str, ...],
) -> MessageAccepted:
    """Return the message. ``target``: the one that it quotes or reacts to, if it is known; one of another conversation
    is not named."""
    kind, body = event.kind, event.body
    is_here = target is not None and target.conversation_id == conversation_id  # another conversation is not shown
    target_id = target.message_id if target is not None and is_here else ""
    if event.happening == Happening.REACTION:
        kind, body = REACTION, {"message_id": target_id, "emoji": event.body.get("emoji", "")}
    elif event.happening == Happening.UNKNOWN or kind not in KINDS:
        kind, body = UNSUPPORTED, event.body or {"type": event.kind or "unknown"}
    return MessageAccepted(
        message_id=inbound_message_id(channel, event.account, event.element_id),
        conversation_id=conversation_id,
        sender_id=address,
        recipient_id="",
        content=event.content[:MAX_TEXT_CHARS],
        account=event.account,
        kind=TEXT if kind == FILE else kind,
        body=body,
        reply_to="" if kind == REACTION else target_id,
        target_id=event.target_id,
        direction=INBOUND,
        sender_name=name,
        provider_id=event.element_id,
        sent_at_ms=event.at_ms,
        members=members,
    )


def require_usual(account: str, *texts: str) -> None:
    """Raise ``MalformedRecord`` for what no row can hold."""
    if not account or any(len(text.encode()) > MOST_ID_BYTES or "\0" in text for text in texts):
        raise MalformedRecord("an account is missing, or an id is longer than any provider's")


def _words_of(text: str) -> Sequence[str]:
    return tuple(word for part in text.split(",") if (word := part.strip()))
