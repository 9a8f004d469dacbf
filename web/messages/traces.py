"""The hops of a message: from the log, Cassandra's traces and the facts of its state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from app.kafka.codec import decode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from domain.errors import InvalidInput, Unavailable
from domain.fact_times import plausible_ms
from domain.ports import StoredMessage, TraceStore
from domain.recipients import CHANNELS
from domain.records import DeliveryRequested, ReceiptReported, StatusChanged
from domain.status import Fact, Status, facts_of
from domain.traces import TraceRecorded
from web.admin.record_log import LogRecord, RecordLog, RecordReader

log = logging.getLogger(__name__)

LOG_SECONDS = 4.0  # of reading the log for one message
MOST_RECORDS = 5_000  # of one topic that are looked at for one message
BEFORE_MS = 1_000
AFTER_MS = 30_000
QUEUED, RECEIPT = "QUEUED", "RECEIPT"
REDRIVE = "redrive"
_ORDER = {str(word): n for n, word in enumerate(Status)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One step of a message's way.

    ``event``: a status word, ``QUEUED``, ``RECEIPT``, ``WAITING``, ``ATTEMPT`` or ``LOOK-UP``. ``offset``: -1 if it is
    not known. ``duration_ms``, ``connect_ms``, ``first_byte_ms``: -1 if there is none. ``provider_status``: the code of
    a failure, or the HTTP status of an answer; ``answer``: the provider's, redacted.
    """

    event: str
    at_ms: int
    topic: str
    partition: int
    offset: int = -1
    attempt: int = 0
    recipient_id: str = ""
    account: str = ""
    duration_ms: int = -1
    outcome: str = ""
    reason: str = ""
    provider_status: str = ""
    answer: str = ""
    connect_ms: int = -1
    first_byte_ms: int = -1


@dataclass(slots=True)
class _Logged:
    """The records of a message on the log. ``offsets``: of its facts, by status and address."""

    hops: list[Hop] = field(default_factory=list)
    offsets: dict[tuple[str, str], int] = field(default_factory=dict)


class MessageTraces:
    """While ``log`` or ``store`` is away, there are fewer hops."""

    def __init__(self, store: TraceStore, log: RecordLog, topics: Topics, partitions: int) -> None:
        self._store = store
        self._log = log
        self._topics = topics
        self._partitions = partitions

    async def of(self, found: StoredMessage) -> list[Hop]:
        """Return the hops of a message in the order of their times, its acceptance first."""
        message_id, position = found.message.message_id, found.position
        partition = partition_for(found.message.conversation_id.encode(), self._partitions)
        facts = [fact for fact in facts_of(found.state) if fact.status != Status.ACCEPTED]
        traces = await self._traces(message_id)
        times = [position.accepted_at_ms, *(fact.at_ms for fact in facts), *(trace.at_ms for trace in traces)]
        logged = _Logged()
        try:
            async with asyncio.timeout(LOG_SECONDS):
                await self._read_log(found, partition, max(times), logged)
        except (Unavailable, TimeoutError) as error:
            log.info("not all of the log is in the trace of %s: %r", message_id, error)
        hops = [*logged.hops, *map(_hop_of_trace, traces)]
        for fact in facts:
            offset = logged.offsets.get((fact.status, fact.recipient_id), -1)
            hops.append(_hop_of_fact(fact, self._topics.status_updates, partition, offset))
        hops.sort(key=lambda hop: (hop.at_ms, _ORDER.get(hop.event, -1)))
        accepted = Hop(
            event=Status.ACCEPTED,
            at_ms=position.accepted_at_ms,
            topic=self._topics.messages,
            partition=partition,
            offset=position.offset,
        )
        return [accepted, *hops]

    async def redrive_of(self, request: DeliveryRequested, command_id: str) -> TraceRecorded | None:
        """Return the worker's result of a redrive, ``None`` while Cassandra does not know it."""
        for trace in reversed(await self._traces(request.message_id)):
            is_named = trace.reason == command_id or trace.reason.startswith(f"{command_id}:")
            if trace.event == REDRIVE and trace.recipient_id == request.recipient_id and is_named:
                return trace
        return None

    async def _traces(self, message_id: str) -> Sequence[TraceRecorded]:
        try:
            return await self._store.of(message_id)
        except Unavailable as error:
            log.info("Cassandra is not in the trace of %s: %s", message_id, error)
            return []

    async def _read_log(self, found: StoredMessage, partition: int, last_ms: int, logged: _Logged) -> None:
        """Add to ``logged`` the records of the topics, from the acceptance to a while after ``last_ms``."""
        message_id, accepted_at_ms = found.message.message_id, found.position.accepted_at_ms
        span = accepted_at_ms - BEFORE_MS, last_ms + AFTER_MS
        channels = {address.partition(":")[0] for address in found.message.targets} & set(CHANNELS)
        async with self._log.reading() as reader:
            for channel in sorted(channels):
                outbound, events = self._topics.outbound(channel), self._topics.events(channel)
                async for record in _records(reader, outbound, partition, span, message_id):
                    hop = Hop(
                        event=QUEUED,
                        at_ms=record.timestamp_ms,
                        topic=outbound,
                        partition=partition,
                        offset=record.offset,
                    )
                    logged.hops.append(hop)
                async for record in _records(reader, events, partition, span, message_id):
                    if (found_hop := _hop_of_receipt(record, events, message_id)) is not None:
                        logged.hops.append(found_hop)
            async for record in _records(reader, self._topics.status_updates, partition, span, message_id):
                if (key := _fact_key(record, message_id)) is not None:
                    logged.offsets.setdefault(key, record.offset)


async def _records(
    reader: RecordReader, topic: str, partition: int, span: tuple[int, int], message_id: str
) -> AsyncIterator[LogRecord]:
    """Yield the records that name the message, out of the first ``MOST_RECORDS`` of the time ``span`` (epoch ms)."""
    first, stop = (await reader.ranges(topic, *span))[partition]
    needle = message_id.encode()
    async for record in reader.read(topic, {partition: (first, min(stop, first + MOST_RECORDS))}):
        if record.value is not None and needle in record.value:
            yield record


def _hop_of_receipt(record: LogRecord, topic: str, message_id: str) -> Hop | None:
    try:
        report = decode(record.value, ReceiptReported)
    except InvalidInput:
        return None
    token_id, _, address = report.token.partition(" ")
    if token_id != message_id:
        return None
    return Hop(
        event=RECEIPT,
        at_ms=record.timestamp_ms,
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        recipient_id=address,
        account=report.account,
        outcome=report.status,
        provider_status=report.failure_code or "",
        answer=report.pricing and f'{{"pricing":{report.pricing}}}',
    )


def _fact_key(record: LogRecord, message_id: str) -> tuple[str, str] | None:
    try:
        change = decode(record.value, StatusChanged)
    except InvalidInput:
        return None
    return (change.status, change.recipient_id) if change.message_id == message_id else None


def _hop_of_trace(trace: TraceRecorded) -> Hop:
    return Hop(
        event=trace.event.upper(),
        at_ms=plausible_ms(trace.at_ms, 0, 0),
        topic=trace.topic,
        partition=max(0, trace.partition),
        offset=trace.offset,
        attempt=trace.attempt,
        recipient_id=trace.recipient_id,
        account=trace.account,
        duration_ms=trace.duration_ms,
        outcome=trace.outcome,
        reason=trace.reason,
        provider_status=str(trace.provider_status or ""),
        answer=trace.answer,
        connect_ms=trace.connect_ms,
        first_byte_ms=trace.first_byte_ms,
    )


def _hop_of_fact(fact: Fact, topic: str, partition: int, offset: int) -> Hop:
    return Hop(
        event=fact.status,
        at_ms=fact.at_ms,
        topic=topic,
        partition=partition,
        offset=offset,
        attempt=fact.attempt,
        recipient_id=fact.recipient_id,
        provider_status=fact.failure_code or "",
        reason=fact.failure_detail or "",
    )


TRACES: web.AppKey[MessageTraces] = web.AppKey("traces", MessageTraces)
