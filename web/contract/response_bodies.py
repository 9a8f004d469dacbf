"""Response bodies: records and rows as the JSON of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from domain.conversations import MAX_MEMBERS, Conversation, is_address
from domain.direct import is_direct
from domain.expiry import expires_at_ms
from domain.files import FileMetadata
from domain.inbound import ContactChanged
from domain.ports import Identity, LogPosition, StoredMessage, User
from domain.reactions import PersonReaction
from domain.recipients import INTERNAL
from domain.records import MessageAccepted
from domain.status import MessageState, SharedState, Status, delivery_of
from web.contract.kind_bodies import (
    Names,
    account_of,
    kind_document,
    party_document,
    person_document,
    reactions_document,
    sender_document,
)
from web.http.responses import iso_utc, iso_utc_or_none

People = Mapping[str, Sequence[ContactChanged]]  # by address; nothing is known of who is not in it


def parties_of(stored: StoredMessage) -> Iterator[str]:
    """Yield the user ids named by ``message_document`` and ``message_with_deliveries``."""
    yield stored.message.sender_id
    yield stored.message.recipient_id
    yield from stored.message.recipient_users


def user_document(user: User) -> dict[str, Any]:
    """Return a user without anything secret."""
    return {
        "user_id": user.user_id,
        "username": user.username,
        "email": user.email,
        "created_at": iso_utc(user.created_at_ms),
    }


def identity_document(identity: Identity, username: str) -> dict[str, Any]:
    """Return a linked identity."""
    return {
        "user_id": identity.user_id,
        "username": username or None,
        "platform": identity.platform,
        "value": identity.value,
        "verified": identity.verified,
        "contested": identity.contested,
        "linked_at": iso_utc(identity.linked_at_ms),
    }


def accepted_document(message: MessageAccepted, position: LogPosition, expires_hours: float) -> dict[str, Any]:
    """Return the response for a message durable at ``position``; the same for every repetition."""
    return {
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "status": Status.ACCEPTED,
        "timestamp": position.accepted_at_ms,
        "accepted_at": iso_utc(position.accepted_at_ms),
        "expires_at": _expires_at(message, position, expires_hours),
    }


def _expires_at(message: MessageAccepted, position: LogPosition, expires_hours: float) -> str | None:
    """Return the time after which a message is not sent; ``None`` if it goes to no channel."""
    if all(address.startswith(f"{INTERNAL}:") for address in message.targets):
        return None
    return iso_utc(expires_at_ms(message.not_after_ms, position.accepted_at_ms, expires_hours))


def file_metadata_document(metadata: FileMetadata) -> dict[str, Any]:
    """Return the metadata of a file as shown wherever it is named."""
    return {
        "filename": metadata.filename,
        "size_bytes": metadata.size_bytes,
        "mimetype": metadata.mimetype,
        "checksum": metadata.checksum,
    }


def message_document(
    stored: StoredMessage, names: Names, expires_hours: float, reactions: Sequence[PersonReaction] = ()
) -> dict[str, Any]:
    """Return a message with its state, one for all recipients.

    ``expires_hours``: how long a message without a time of its own may wait, from its acceptance.
    """
    message, position = stored.message, stored.position
    document = {
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        **kind_document(message),
        "sender_id": message.sender_id,
        "sender": sender_document(message, names),
        "recipient_id": message.recipient_id or None,
        "recipient": party_document(message.recipient_id, names) if message.recipient_id else None,
        "content": message.content,
        "file_id": message.file_id,
        "file_metadata": None if message.file is None else file_metadata_document(message.file),
        "timestamp": position.accepted_at_ms,
        "accepted_at": iso_utc(position.accepted_at_ms),
        "account": account_of(message),
        "expires_at": _expires_at(message, position, expires_hours),
        "priority": message.priority,
        "reactions": reactions_document(reactions),
        **_state_document(stored.state.overall),
    }
    if len(message.targets) > 1:
        document["counts"] = counts_of(stored)
    return document


def counts_of(stored: StoredMessage) -> dict[str, int]:
    """Return how many recipients of a message have each status word: of 256, 255 may have failed while it is READ."""
    state, recipients = stored.state, len(stored.message.targets)
    if not isinstance(state, SharedState):
        return {**dict.fromkeys(map(str, Status), 0), str(state.status): recipients}
    counts = state.counts
    counts[Status.ACCEPTED] += max(0, recipients - sum(counts.values()))  # no fact has said how many there are
    return counts


def message_with_deliveries(
    stored: StoredMessage, names: Names, expires_hours: float, reactions: Sequence[PersonReaction] = ()
) -> dict[str, Any]:
    """As ``message_document``; a message to several has a state for each recipient.

    A recipient is shown as the participant, a user or an address; a user's linked address stays private.
    """
    document = message_document(stored, names, expires_hours, reactions)
    message = stored.message
    if len(message.targets) > 1:
        users = dict(zip(message.recipients, message.recipient_users, strict=False))
        document["deliveries"] = [
            {
                "recipient_id": users.get(address) or address,
                "recipient": party_document(users.get(address) or address, names),
                "channel": address.partition(":")[0],
                **_state_document(delivery_of(stored.state, address)),
            }
            for address in message.targets
        ]
    return document


def _state_document(state: MessageState) -> dict[str, Any]:
    """Return a status word with its times. ``failed_at`` and ``failure`` are there only while the word is FAILED."""
    status = state.status
    failed = status is Status.FAILED
    return {
        "status": status,
        "sent_at": iso_utc_or_none(state.sent_at_ms),
        "delivered_at": iso_utc_or_none(state.delivered_at_ms),
        "read_at": iso_utc_or_none(state.read_at_ms),
        "failed_at": iso_utc_or_none(state.failed_at_ms) if failed else None,
        "failure": {"code": state.failure_code, "detail": state.failure_detail} if failed else None,
        "pricing": _pricing_of(state),
    }


def _pricing_of(state: MessageState) -> dict[str, Any] | None:
    try:
        found = orjson.loads(state.pricing or "null")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _people_document(conversation: Conversation, names: Names, people: People) -> dict[str, Any]:
    """Return the participants, in the order of their ids, and the creator, with their names; of addresses what
    ``people`` says.
    """
    creator, conversation_id = conversation.created_by, conversation.conversation_id
    return {
        "participant_details": [
            person_document(one, people.get(one, ()), conversation_id)
            if is_address(one)
            else party_document(one, names)
            for one in conversation.participants
        ],
        "created_by": creator,
        "creator": None if creator is None else party_document(creator, names),
    }


def conversation_document(
    conversation: Conversation, last: LogPosition | None, message_count: int, names: Names, people: People
) -> dict[str, Any]:
    """Return a conversation. ``last``: the position of its last message."""
    return {
        "conversation_id": conversation.conversation_id,
        "name": conversation.name,
        "participants": conversation.participants,
        "message_count": message_count,
        "last_message_at": None if last is None else iso_utc(last.accepted_at_ms),
        "is_group": conversation.is_group,
        "is_direct": is_direct(conversation.conversation_id),
        **_people_document(conversation, names, people),
        "created_at": iso_utc(conversation.created_at_ms),
    }


def group_document(group: Conversation, names: Names, people: People) -> dict[str, Any]:
    """Return a group with its members, in the order of their ids."""
    return {
        "group_id": group.conversation_id,
        "conversation_id": group.conversation_id,
        "name": group.name,
        "description": group.description,
        "members": group.participants,
        "admins": group.admins,
        "max_members": MAX_MEMBERS,
        **_people_document(group, names, people),
        "created_at": iso_utc(group.created_at_ms),
    }
