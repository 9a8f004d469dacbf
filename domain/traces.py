"""The record on ``traces``: the hops of a delivery, as values."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ANSWER_CHARS = 4_096


@dataclass(frozen=True, slots=True)
class TraceRecorded:
    """On ``traces``, keyed by conversation: one hop of a delivery that the status facts do not show.

    ``event``: waiting, attempt, look-up or redrive. ``at_ms``: its begin; ``duration_ms``: -1 if it has none.
    ``topic``, ``partition``, ``offset``: the record that led to it; ``offset`` -1 if none did. ``reason``: why it
    waits; of a redrive the command's id, and why nothing is sent. ``outcome``: sent, refused, not-now or unknown; of a
    redrive queued or passed-over. ``answer``: the provider's, redacted, at most
    ``MAX_ANSWER_CHARS``; ``provider_status``: its HTTP status, 0 without an answer. ``connect_ms``,
    ``first_byte_ms``: -1 if not measured.
    """

    message_id: str
    conversation_id: str
    event: str
    at_ms: int
    channel: str
    recipient_id: str = ""
    account: str = ""
    topic: str = ""
    partition: int = -1
    offset: int = -1
    attempt: int = 0
    duration_ms: int = -1
    outcome: str = ""
    reason: str = ""
    provider_status: int = 0
    answer: str = ""
    connect_ms: int = -1
    first_byte_ms: int = -1
