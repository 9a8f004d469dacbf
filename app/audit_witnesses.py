"""Views outside of Kafka and Cassandra, against the log: a client's live frames, and the provider's own list. Pure.

Both are lists of a bounded length: a longer one is refused, with a shorter span as remedy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.audit_rules import Difference, Folded, History
from domain.correlation import SEPARATOR, split_token
from domain.errors import InvalidInput
from domain.status import SharedState, Status

MOST_FRAMES = 500_000
MOST_TAKEN = 500_000


@dataclass(slots=True)
class LiveFrames:
    """The frames that a follower got, of all its conversations, without a break.

    ``conversations``: those of the follower; empty: of which it got a frame. A message is expected if it was accepted
    after ``from_ms`` and before ``until_ms`` (epoch ms), by default from its first frame to its last.
    """

    from_ms: int = 0
    until_ms: int = 0
    conversations: frozenset[str] = frozenset()
    messages: Counter[str] = field(default_factory=Counter)
    words: dict[str, set[str]] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def of(cls, frames: Iterable[Mapping[str, Any]], conversations: Iterable[str] = ()) -> LiveFrames:
        """Return the follower's view. Raises ``InvalidInput`` for too many frames."""
        made, seen, times = cls(), set(conversations), []
        for frame in frames:
            message_id, conversation_id = frame.get("message_id"), frame.get("conversation_id")
            if not isinstance(message_id, str) or not isinstance(conversation_id, str):
                continue
            made.count += 1
            if made.count > MOST_FRAMES:
                raise InvalidInput(f"more than {MOST_FRAMES:,} frames: audit a shorter span", "frames")
            if not conversations:
                seen.add(conversation_id)
            if frame.get("type") == "new_message":
                made.messages[message_id] += 1
                times.append(int(frame.get("timestamp", 0)))
            elif frame.get("type") == "status":
                made.words.setdefault(message_id, set()).add(str(frame.get("status")))
        made.conversations = frozenset(seen)
        made.from_ms, made.until_ms = (min(times), max(times)) if times else (0, -1)
        return made

    def differences(self, history: History) -> Iterator[Difference]:
        """Yield the messages of the span without their frames, and those shown twice."""
        for message_id, (message, position) in history.accepted.items():
            if message.conversation_id not in self.conversations:
                continue
            shown = self.messages.get(message_id, 0)
            if not shown and self.from_ms <= position.accepted_at_ms <= self.until_ms:
                yield Difference("live", message_id, "no frame new_message came to the follower")
            if shown > 1:
                yield Difference("live", message_id, f"{shown} frames new_message came to the follower")
            folded = history.folded.get(message_id)
            if shown and folded is not None and (missing := self._missing_word(message_id, folded)):
                yield Difference("live", message_id, f"no frame status {missing} came to the follower")

    def _missing_word(self, message_id: str, folded: Folded) -> str:
        """Return the message's word if no frame had it. A word that came after the last frame is not expected."""
        word = str(folded.state.overall.status)
        is_late = folded.state.overall.last_change_ms > self.until_ms
        if word in (Status.ACCEPTED, *self.words.get(message_id, ())) or is_late:
            return ""
        return word


@dataclass(slots=True)
class ProviderTruth:
    """The provider's own list of messages: ``taken`` by token (the ``delivery_key``). ``channels``: those it serves.

    ``is_whole``: it reaches back to its first message, so a message without an entry was not taken.
    """

    channels: frozenset[str]
    taken: dict[str, int] = field(default_factory=dict)
    is_whole: bool = True
    since_ms: int = 0

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], channels: Iterable[str]) -> ProviderTruth:
        """Return the count of ``rows``, as ``GET /taken`` lists them. Raises ``InvalidInput`` for too many."""
        made, numbers = cls(frozenset(channels)), []
        for row in rows:
            if not (token := str(row.get("token") or "")):
                continue
            if SEPARATOR in token and (split := split_token(token)):
                if token.count(SEPARATOR) > 1:
                    continue  # a later part of a message whose first part is counted
                token = split[1]
            made.taken[token] = made.taken.get(token, 0) + 1
            if len(made.taken) > MOST_TAKEN:
                raise InvalidInput(
                    f"the provider took more than {MOST_TAKEN:,} messages: audit it more often", "provider"
                )
            numbers.append(int(row.get("number", 1)))
            made.since_ms = min(made.since_ms or 2**62, int(row.get("at_ms", 0)))
        made.is_whole = not numbers or min(numbers) == 1
        return made

    def differences(self, history: History) -> Iterator[Difference]:
        """Yield the differences of log and provider about a delivery, and check off the compared messages."""
        for message_id, (message, position) in history.accepted.items():
            folded = history.folded.get(message_id)
            for address in message.targets:
                if address.partition(":")[0] in self.channels and not message.is_inbound:
                    yield from self._delivery(message_id, address, folded, position.accepted_at_ms)

    def _delivery(
        self, message_id: str, address: str, folded: Folded | None, accepted_at_ms: int
    ) -> Iterator[Difference]:
        is_shared = folded is not None and isinstance(folded.state, SharedState)
        token = f"{message_id} {address}" if is_shared else message_id
        count = self.taken.pop(token, 0)
        state = None if folded is None else folded.state
        if isinstance(state, SharedState):
            state = state.delivery(address)
        is_sent = state is not None and state.sent_at_ms is not None
        if is_sent and not count and (self.is_whole or accepted_at_ms >= self.since_ms):
            yield Difference("provider", token, "is SENT on the log, and the provider did not take it")
        if count and (state is None or state.status is Status.ACCEPTED):
            yield Difference("provider", token, "was taken by the provider, and the log has no outcome")
        if count and state is not None and state.status is Status.FAILED:
            yield Difference("provider", token, f"is FAILED ({state.failure_code}), and the provider took it")
        if count > 1:
            yield Difference("provider", token, f"was taken {count} times by the provider")

    def rest(self) -> Iterator[Difference]:
        """Yield the provider's messages without a record on the log; call it after all partitions."""
        for token in self.taken:
            yield Difference("provider", token, "was taken by the provider, and is not on `messages`")
