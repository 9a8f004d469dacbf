"""What the log says became of messages, compared with what today's code would do with them."""

from __future__ import annotations

from dataclasses import replace

from agents.shadow_recording import line_of
from agents.shadow_run import Change, Outcome, ShadowRun, changes
from app.kafka.codec import decode, type_of
from app.kafka.topics import Topics
from app.replay.entries import LogRecord
from channels.manifest import CAPABILITIES
from domain.degradation import degraded
from domain.errors import MalformedRecord
from domain.ports import LogPosition
from domain.recipients import CHANNELS
from domain.records import DeliveryRequested, MessageAccepted, StatusChanged
from domain.status import UNKNOWN, State, Status, absorb, delivery_of, fact_in

TAKEN = "taken"  # by the channel or the conversation: which receipts came since depends on people


class ShadowLog:
    """One partition number. ``messages``: those of the span, before ``until_ms``; ``lines``: a recording of them."""

    def __init__(self, names: Topics, until_ms: int | None = None) -> None:
        self._messages_topic = names.messages
        self._channels = {names.outbound(channel): channel for channel in CHANNELS}
        self._until_ms = until_ms
        self.messages: dict[str, tuple[MessageAccepted, LogPosition]] = {}
        self.lines: list[bytes] = []
        self._requests: dict[str, dict[str, tuple[str, DeliveryRequested]]] = {}
        self._states: dict[str, State] = {}

    def add(self, record: LogRecord) -> None:
        """Take a record of ``messages``, an outbound topic or ``status-updates``. A malformed one changes nothing."""
        try:
            if record.topic == self._messages_topic:
                self._message(record)
            elif record.topic in self._channels:
                request = decode(record.value, DeliveryRequested)
                of_message = self._requests.setdefault(request.message_id, {})
                of_message.setdefault(request.recipient_id, (self._channels[record.topic], request))
            elif type_of(record.value) == StatusChanged.__name__:
                change = decode(record.value, StatusChanged)
                known = self._states.get(change.message_id, UNKNOWN)
                self._states[change.message_id] = absorb(known, fact_in(change))
        except (MalformedRecord, ValueError):
            return

    def _message(self, record: LogRecord) -> None:
        if self._until_ms is not None and record.timestamp_ms >= self._until_ms:
            return
        message = decode(record.value, MessageAccepted)
        if not message.is_inbound:
            self.messages.setdefault(message.message_id, (message, LogPosition(record.timestamp_ms, record.offset)))

    async def changes(self) -> list[Change]:
        """Return where today's code differs from the log. A message without an outcome yet has no status to compare."""
        run = ShadowRun()
        found: list[Change] = []
        for message, position in self.messages.values():
            today = await run.outcomes(message, position)
            self.lines.append(line_of(message, position, today))
            before = [self._logged(message, one) for one in today]
            after = [_judged(one) for one in today]
            after = [replace(one, status="") if not was.status else one for was, one in zip(before, after, strict=True)]
            found += changes(message.message_id, before, after)
        return found

    def _logged(self, message: MessageAccepted, today: Outcome) -> Outcome:
        """Return the log's outcome at an address, with the text that its request has on its channel today."""
        state = delivery_of(self._states.get(message.message_id, UNKNOWN), today.address)
        status = {Status.ACCEPTED: "", Status.FAILED: "FAILED"}.get(state.status, TAKEN)
        code = (state.failure_code or "") if status == "FAILED" else ""
        requested = self._requests.get(message.message_id, {}).get(today.address)
        if requested is None:
            channel = "internal" if status == TAKEN else ""
            return Outcome(today.address, channel, "", message.kind, message.content, status, code)
        channel, request = requested
        outgoing = degraded(request, CAPABILITIES[channel])
        return Outcome(today.address, channel, request.account, outgoing.kind, outgoing.content, status, code)


def _judged(one: Outcome) -> Outcome:
    return one if one.status == "FAILED" else replace(one, status=TAKEN, code="")
