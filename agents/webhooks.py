"""``webhooks_<channel>``: the raw webhooks of a channel's provider become events, each element one.

It keeps no state. Receipts with our token go to the delivery that they are about. Everything about people, and receipts
without our token, go to the address book of the account (``agents/people.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from app.accounts import load_accounts
from app.clock import now_ms
from app.faust.checkpoint import Checkpoint
from app.faust.dead_letters import dead_letter
from app.kafka.codec import MAX_RECORD_BYTES, decode, encode
from app.kafka.partitions import partition_for
from app.tracing import trace_headers
from channels.manifest import WEBHOOKS
from domain.accounts import Account
from domain.correlation import split_token
from domain.errors import InvalidInput, MalformedRecord
from domain.inbound import ElementOutcome, Happening, InboundEvent, WebhookReceived
from domain.ports import WebhookProtocol
from domain.records import ReceiptReported, Record
from domain.status import Status

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

log = logging.getLogger(__name__)

MAX_PENDING_BYTES = 32 * 1024 * 1024  # on their way to Kafka: well before the producer refuses
MOST_ELEMENTS = 100_000  # of one webhook; providers put at most 1,000 into one
_DAY_MS = 24 * 3_600_000
# the options of an account that hold the payload's own id of it
ID_OPTIONS = ("phone_number_id", "ig_id", "bot_id")
_COUNTED_HERE = {
    Happening.ACCOUNT: ElementOutcome.ACCOUNT,
    Happening.IGNORED: ElementOutcome.IGNORED,
    Happening.UNKNOWN: ElementOutcome.UNKNOWN,
}
_RECEIPTS = frozenset(Status) - {Status.ACCEPTED}


@dataclass(frozen=True, slots=True)
class Sorted:
    """Where an element goes: ``record`` to the topic ``room`` (events, inbound) under ``key``.

    Without a record it ends here, with ``outcome``; what goes to inbound is counted there.
    """

    room: str = ""
    key: str = ""
    record: Record | None = None
    outcome: ElementOutcome | None = None


class Sorter:
    """Parses webhooks and sorts their elements. Pure but for its log."""

    def __init__(self, protocol: WebhookProtocol, accounts: Sequence[Account]) -> None:
        self._protocol = protocol
        self._names = {account.name for account in accounts}
        self._by_id: Mapping[str, str] = {
            identifier: account.name
            for account in accounts
            for option in ID_OPTIONS
            if (identifier := account.options.get(option))
        }

    def sort(self, received: WebhookReceived) -> Sequence[Sorted]:
        """Return the outcome of each element. Raises ``MalformedRecord`` if the body cannot be parsed."""
        try:
            events = tuple(islice(self._protocol.parse(received.raw, received.at_ms), MOST_ELEMENTS + 1))
        except InvalidInput:
            raise
        except Exception as error:
            log.exception("the parser failed")
            raise MalformedRecord(f"the parser failed: {error!r}") from error
        if len(events) > MOST_ELEMENTS:
            raise MalformedRecord(f"the webhook has more than {MOST_ELEMENTS} elements")
        return tuple(self._sorted(received, event) for event in events)

    def _sorted(self, received: WebhookReceived, event: InboundEvent) -> Sorted:
        account = self._account_of(received, event)
        if not account:
            log.warning("an element of a webhook is of an account that accounts.toml does not name: %r", event.our_id)
            return Sorted(outcome=ElementOutcome.OTHER_ACCOUNT)
        is_possible = 0 <= event.at_ms <= received.at_ms + _DAY_MS  # another time fits into no row, or hides later ones
        event = replace(event, account=account, at_ms=event.at_ms if is_possible else received.at_ms)
        if event.happening == Happening.RECEIPT:
            return self._receipt(event)
        if event.happening == Happening.UNKNOWN and event.person.identifiers:
            return Sorted("inbound", account, event)  # it is shown, as unsupported
        outcome = _COUNTED_HERE.get(Happening(event.happening))
        if outcome is None:
            return Sorted("inbound", account, event)
        if outcome is not ElementOutcome.IGNORED:
            log.warning("webhook of account %s: %s: %.500s", account, event.happening, event.detail)
        return Sorted(outcome=outcome)

    def _receipt(self, event: InboundEvent) -> Sorted:
        if event.status not in _RECEIPTS:
            return Sorted(outcome=ElementOutcome.UNKNOWN)
        ours = split_token(event.token)
        if ours is None:
            return Sorted("inbound", event.account, event)
        conversation_id, token = ours
        return Sorted("events", conversation_id, receipt_of(event, token), ElementOutcome.RECEIPT)

    def _account_of(self, received: WebhookReceived, event: InboundEvent) -> str:
        """Return our account, empty for none. Accounts of one app share its callback and its secret: of those with the
        secret the payload's id decides."""
        if (named := self._by_id.get(event.our_id, "")) and (not received.signers or named in received.signers):
            return named
        if named:
            log.error("a webhook signed for %s speaks of the account %s", ", ".join(received.signers), named)
            return ""
        if received.account in self._names and not (event.our_id and received.account in self._by_id.values()):
            return received.account
        return next(iter(self._names)) if len(self._names) == 1 and not self._by_id else ""


def receipt_of(event: InboundEvent, token: str) -> ReceiptReported:
    """Return the receipt as the deliveries take it."""
    return ReceiptReported(
        account=event.account,
        provider_id=event.target_id,
        token=token,
        status=event.status,
        at_ms=event.at_ms,
        failure_code=event.failure_code,
        failure_detail=event.failure_detail,
        pricing=event.pricing,
    )


def register(app: StreamApp) -> None:
    protocol = WEBHOOKS.get(app.role)
    if protocol is None:
        return
    channel = app.role
    sorter = Sorter(protocol, load_accounts(app.settings)[channel])
    checkpoint = Checkpoint(app, f"webhooks_{channel}")

    @app.batch_agent(f"webhooks_{channel}", app.names.webhooks(channel), help=f"parses the webhooks of {channel}")
    async def webhooks(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await checkpoint.when_durable(batch, await parse_batch(app, sorter, batch))


async def parse_batch(app: StreamApp, sorter: Sorter, batch: RecordBatch) -> list[PendingBatch]:
    """Queue the events of each webhook of ``batch``; return the writes to await before the batch is complete."""
    writes: list[PendingBatch] = []
    channel = app.role
    topics = {"events": app.names.events(channel), "inbound": app.names.inbound(channel)}
    for record in batch.records:
        fault: InvalidInput | None = None
        elements: Sequence[Sorted] = ()
        headers = trace_headers(record.headers)
        try:
            elements = sorter.sort(decode(record.value, WebhookReceived))
        except InvalidInput as error:
            app.metrics.webhook_element(channel, ElementOutcome.MALFORMED)
            fault = error
        for element in elements:
            outcome = element.outcome
            try:
                if element.record is not None:
                    key, value = element.key.encode(), _encoded(element.record)
                    partition = partition_for(key, app.settings.partitions)
                    writes.append(app.batch_producer.enqueue(topics[element.room], partition, key, value, headers))
            except MalformedRecord as error:
                outcome, fault = ElementOutcome.MALFORMED, error
            if outcome is not None:
                app.metrics.webhook_element(channel, outcome)
            if app.batch_producer.pending_bytes > MAX_PENDING_BYTES:
                await _all_durable(writes)
        if fault is not None:  # one letter holds the whole webhook
            writes.append(dead_letter(app, batch, record, fault, now_ms()))
        if app.batch_producer.pending_bytes > MAX_PENDING_BYTES:
            await _all_durable(writes)
    return writes


def _encoded(record: Record) -> bytes:
    """Return the record for Kafka. Raises ``MalformedRecord`` for one that the broker or a reader would refuse."""
    try:
        value = encode(record)
    except TypeError as error:
        raise MalformedRecord(f"an element cannot be written as JSON: {error}") from error
    if len(value) > MAX_RECORD_BYTES:
        raise MalformedRecord(f"an element has {len(value)} bytes; at most {MAX_RECORD_BYTES}")
    return value


async def _all_durable(writes: list[PendingBatch]) -> None:
    for write in writes:
        await write
    writes.clear()
