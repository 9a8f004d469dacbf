"""The sizes of cached messages and states in memory."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof

from domain.records import MessageAccepted
from domain.status import UNKNOWN, SharedState, State

# measured with tracemalloc: an entry with its times, its slots in dictionaries and lists; what a message adds besides
# its texts; a file's metadata besides its own
ENTRY_BYTES = 310
_STATE_BYTES = 240
_MESSAGE_BYTES = 280
_FILE_BYTES = 300


def message_bytes(message: MessageAccepted) -> int:
    """Return the size of a message in memory, without the lists of several recipients."""
    m = message
    held = (
        _MESSAGE_BYTES
        + getsizeof(m.content)
        + getsizeof(m.message_id)
        + getsizeof(m.conversation_id)
        + getsizeof(m.sender_id)
        + getsizeof(m.recipient_id)
    )
    held += _value_bytes(m.body)
    optional = (m.reply_to, m.target_id, m.sender_name, m.provider_id, m.recipient_ids, m.members)
    held += sum(_value_bytes(value) for value in optional if value)
    if m.file is not None:
        texts = (m.file_id, m.file.filename, m.file.mimetype, m.file.checksum, m.file.storage_path)
        held += _FILE_BYTES + sum(map(getsizeof, texts))
    if len(m.recipients) == 1:
        held += 2 * getsizeof(m.recipients) + getsizeof(m.recipients[0]) + sum(map(getsizeof, m.recipient_users))
    return held


def _value_bytes(value: object) -> int:
    """Return the size of a value of JSON, or of a tuple of texts, in memory."""
    held = getsizeof(value)
    if isinstance(value, Mapping):
        held += sum(_value_bytes(key) + _value_bytes(one) for key, one in value.items())
    elif isinstance(value, list | tuple):
        held += sum(map(_value_bytes, value))
    return held


def state_bytes(state: State) -> int:
    """Return the size of a state in memory."""
    if state is UNKNOWN:
        return 0
    if isinstance(state, SharedState):
        return state.held_bytes
    if state.failed_at_ms is None:
        return _STATE_BYTES
    return _STATE_BYTES + getsizeof(state.failure_detail)
