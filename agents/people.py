"""``people_<channel>``: what people do on a channel, on the partition of our account.

It keeps the address book, the reply windows and the opt-outs (table ``people``), makes messages of what people write,
and ties receipts without our token to their messages. A record read again after a crash leads to the same messages
under the same ids; an element posted twice by the provider leads to one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agents.address_book import AddressBook
from agents.durable import when_durable
from agents.inbound_messages import InboundAccount, message_of, require_usual
from agents.inbox import Inbox
from agents.profiles import Profiles
from agents.read_marks import ReadMarks
from agents.tokenless_receipts import ParkedReceipts
from agents.webhooks import receipt_of
from app.clock import now_ms
from app.faust.checkpoint import Checkpoint
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode, encode, type_of
from app.kafka.partitions import partition_for
from domain.accounts import Account
from domain.direct import inbound_id
from domain.errors import InvalidInput, MalformedRecord
from domain.inbound import ElementOutcome, Happening, InboundEvent, ReadMarked, SentReported
from domain.kinds import BUTTON_REPLY
from domain.people import Known, address_of, person_at, wrote
from domain.records import MessageAccepted, Record
from tables import people as rows

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.durable_table import DurableTable
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch
    from domain.ports import Connector, FileStore

log = logging.getLogger(__name__)

MAX_PENDING_BYTES = 32 * 1024 * 1024
MAX_EVENT_BYTES = 192 * 1024  # its message, with the names of the members, must fit into a record
HOUSEKEEPING_SECONDS = 60.0
_SHOWN = {
    Happening.MESSAGE: ElementOutcome.MESSAGE,
    Happening.REACTION: ElementOutcome.REACTION,
    Happening.UNKNOWN: ElementOutcome.UNKNOWN,
}


class People:
    """The agent's work. ``accounts``: of the channel; ``connector_of``: by the account's name."""

    def __init__(
        self,
        app: StreamApp,
        accounts: Sequence[Account],
        table: DurableTable,
        connector_of: Callable[[str], Connector | None],
        open_store: Callable[[], FileStore],
    ) -> None:
        self._app = app
        self._channel = app.role
        self._table = table
        self._accounts = {one.name: InboundAccount(one) for one in accounts}
        self._marks = ReadMarks(connector_of)
        self._profiles = Profiles(app, app.role, connector_of)
        self._book = AddressBook(self._channel, table)
        self._parked = ParkedReceipts(table)
        self._inbox = Inbox(app, table, connector_of, open_store, self._publish)
        self._partitions: list[int] = []
        app.on_assigned(self.begin)
        app.on_drain(self.drain)

    def begin(self) -> None:
        """Resume the waiting messages of the assigned partitions."""
        self._partitions = self._table.active_partitions()
        when_durable(self._app, [self._table.claim(partition) for partition in self._partitions], lambda: None)
        self._parked.begin(self._partitions)
        self._inbox.begin(self._partitions)

    async def drain(self) -> None:
        """Stop the tasks under way; their work is on record."""
        self._partitions = []
        await self._inbox.drain()
        await self._profiles.drain()

    def keep_house(self) -> None:
        """Give up on receipts whose message nobody sent."""
        orphans = len(self._parked.expire(self._partitions))
        if orphans:
            self._count(ElementOutcome.ORPHAN, orphans)

    async def receive_batch(self, batch: RecordBatch) -> list[PendingBatch]:
        """Take each record of ``batch``; return the writes to await before the batch is complete."""
        writes: list[PendingBatch] = []
        for record in batch.records:
            try:
                writes += self._take(batch.partition, record)
            except InvalidInput as error:
                if type_of(record.value) != SentReported.__name__:
                    self._count(ElementOutcome.MALFORMED)
                writes.append(dead_letter(self._app, batch, record, error, now_ms()))
            if self._app.batch_producer.pending_bytes > MAX_PENDING_BYTES:
                for write in writes:
                    await write
                writes.clear()
        return writes

    def _take(self, partition: int, record: Any) -> list[PendingBatch]:
        name = type_of(record.value)
        if name == SentReported.__name__:
            return self._sent(partition, decode(record.value, SentReported))
        if name == ReadMarked.__name__:
            self._marks.tell(decode(record.value, ReadMarked))
            return []
        if len(record.value) > MAX_EVENT_BYTES:
            raise MalformedRecord(f"the element has {len(record.value)} bytes; at most {MAX_EVENT_BYTES}")
        return self._event(partition, record.offset, decode(record.value, InboundEvent))

    # Sends and receipts ---------------------------------------------------------------------------------------------

    def _sent(self, partition: int, sent: SentReported) -> list[PendingBatch]:
        """Remember a message of ours by the provider's ids, and the conversation as that of the last exchange."""
        require_usual(sent.account, sent.provider_id, sent.address, *sent.part_ids)
        person = person_at(self._channel, sent.address, sent.to)
        before = self._book.find(partition, sent.account, person)
        row, writes = self._book.reached(partition, sent.account, before, person, f"{sent.provider_id} {sent.address}")
        row = row.spoke_in(sent.conversation_id, sent.address)
        is_repeated = self._message(partition, sent.account, sent.provider_id) is not None
        if is_repeated or before is None or (before.person, before.conversations) != (row.person, row.conversations):
            writes += self._tell(partition, sent.account, row)
        message_id = sent.token.partition(" ")[0]
        account, conversation_id = sent.account, sent.conversation_id
        for provider_id in (sent.provider_id, *sent.part_ids):
            writes.append(self._remember(partition, account, provider_id, conversation_id, message_id, sent.token))
            receipts, unparked = self._parked.claim(partition, account, provider_id)
            for receipt in receipts:
                writes += self._report(conversation_id, receipt, sent.token)
            writes += unparked
        return writes

    def _receipt(self, partition: int, event: InboundEvent) -> list[PendingBatch]:
        known = self._message(partition, event.account, event.target_id)
        if known is None and (write := self._parked.park(partition, event)) is not None:
            return [write]
        if known is None or not known.token:  # nobody's, or a person's own message
            self._count(ElementOutcome.ORPHAN if known is None else ElementOutcome.IGNORED)
            return []
        return self._report(known.conversation_id, event, known.token)

    def _report(self, conversation_id: str, event: InboundEvent, token: str) -> list[PendingBatch]:
        self._count(ElementOutcome.RECEIPT)
        topic = self._app.names.events(self._channel)
        return [self._write(topic, conversation_id, receipt_of(event, token))]

    # People ---------------------------------------------------------------------------------------------------------

    def _event(self, partition: int, offset: int, event: InboundEvent) -> list[PendingBatch]:
        require_usual(event.account, event.element_id, event.target_id, *event.person.identifiers)
        if event.happening == Happening.RECEIPT:
            return self._receipt(partition, event)
        if not event.person.identifiers:
            self._count(ElementOutcome.NOBODY)
            return []
        key = rows.row_key(rows.SEEN, event.account, f"{event.happening} {event.element_id}")
        value = self._table.get_bytes(partition, key)
        seen = None if value is None else rows.load_seen(value)
        if seen is not None and seen.offset != offset:
            self._count(ElementOutcome.DUPLICATE)
            return []
        conversation_id = "" if seen is None else seen.conversation_id
        if event.happening in _SHOWN:
            conversation_id, writes = self._shown(partition, offset, event, conversation_id)
        elif event.happening == Happening.IDENTITY:
            writes = self._renamed(partition, event)
        else:
            writes = self._opted(partition, event)
        writes.append(self._table.put(partition, key, rows.dump_seen(rows.Seen(now_ms(), offset, conversation_id))))
        return writes

    def _shown(
        self, partition: int, offset: int, event: InboundEvent, conversation_id: str
    ) -> tuple[str, list[PendingBatch]]:
        """Make a message of the person's act. ``conversation_id``: where it went when it was taken before."""
        row, writes = self._book.meet(partition, event.account, event.person, event.element_id)
        self._profiles.ask(event.account, row.person)
        if event.kind == BUTTON_REPLY:
            self._marks.acknowledge(event.account, event.element_id)
        target = self._message(partition, event.account, event.target_id) if event.target_id else None
        address = address_of(self._channel, row.person)
        if conversation_id:
            address = row.address_in(conversation_id) or address
        elif target is not None and row.address_in(target.conversation_id):
            conversation_id, address = target.conversation_id, row.address_in(target.conversation_id) or address
        elif row.conversation is not None:
            conversation_id, address = row.conversation
        else:
            conversation_id = inbound_id(self._channel, event.account, row.person_id)
        ours = self._accounts.get(event.account) or InboundAccount(Account(channel=self._channel, name=event.account))
        at_ms = min(event.at_ms, now_ms())
        row = wrote(self._channel, row.spoke_in(conversation_id, address), at_ms)
        if event.happening == Happening.MESSAGE and ours.is_stop_word(event.content):
            row = replace(row, opted_out=True)
            self._count(ElementOutcome.OPT_OUT)
        else:
            self._count(_SHOWN[Happening(event.happening)])
        writes += self._tell(partition, event.account, row)
        message = message_of(
            self._channel,
            event,
            conversation_id,
            address,
            row.person.name,
            target,
            ours.members(conversation_id, address),
        )
        writes.append(self._remember(partition, event.account, event.element_id, conversation_id, message.message_id))
        if event.media or self._inbox.holds(partition, event.account, row.person_id):
            writes.append(self._inbox.add(partition, row.person_id, offset, event, message))
        else:
            writes.append(self._publish(message))
        return conversation_id, writes

    def _renamed(self, partition: int, event: InboundEvent) -> list[PendingBatch]:
        row, writes = self._book.rename(partition, event.account, event.former, event.person, event.element_id)
        self._count(ElementOutcome.IDENTITY)
        return writes + self._tell(partition, event.account, row)

    def _opted(self, partition: int, event: InboundEvent) -> list[PendingBatch]:
        person = self._book.with_free(partition, event.account, event.person, event.former)
        row, writes = self._book.meet(partition, event.account, person, event.element_id)
        is_out = event.happening == Happening.OPT_OUT
        self._count(ElementOutcome.OPT_OUT if is_out else ElementOutcome.OPT_IN)
        return writes + self._tell(partition, event.account, replace(row, opted_out=is_out))

    # What follows ---------------------------------------------------------------------------------------------------

    def _tell(self, partition: int, account: str, row: Known) -> list[PendingBatch]:
        """Store the row, and tell its conversations: for somebody in none, the one that their first message begins.
        Those of people who lost an identifier to this person are told before."""
        lost = [write for left in self._book.take_left() for write in self._tell(partition, account, left)]
        address = address_of(self._channel, row.person)
        if not row.conversations and address:
            row = row.spoke_in(inbound_id(self._channel, account, row.person_id), address)
        row, contacts = self._book.contacts_of(partition, account, row, now_ms() + 2 * bool(lost))
        topic = self._app.names.contacts(self._channel)
        told = [self._write(topic, contact.conversation_id, contact) for contact in contacts]
        return [*lost, self._book.put(partition, account, row), *told]

    def _publish(self, message: MessageAccepted) -> PendingBatch:
        return self._write(self._app.names.messages, message.conversation_id, message)

    def _write(self, topic: str, conversation_id: str, record: Record) -> PendingBatch:
        key = conversation_id.encode()
        partition = partition_for(key, self._app.settings.partitions)
        return self._app.batch_producer.enqueue(topic, partition, key, encode(record))

    def _message(self, partition: int, account: str, provider_id: str) -> rows.Message | None:
        value = self._table.get_bytes(partition, rows.row_key(rows.MESSAGE, account, provider_id))
        return None if value is None else rows.load_message(value)

    def _remember(
        self, partition: int, account: str, provider_id: str, conversation_id: str, message_id: str, token: str = ""
    ) -> PendingBatch:
        value = rows.dump_message(rows.Message(now_ms(), conversation_id, message_id, token))
        return self._table.put(partition, rows.row_key(rows.MESSAGE, account, provider_id), value)

    def _count(self, outcome: ElementOutcome, count: int = 1) -> None:
        self._app.metrics.webhook_element(self._channel, outcome, count)


def declare(
    app: StreamApp,
    accounts: Sequence[Account],
    connectors: Mapping[str, Connector | None],
    open_store: Callable[[], FileStore],
) -> People:
    """Declare the agent and its table on ``app``; ``connectors``: by the account's name."""
    channel = app.role
    people = People(app, accounts, rows.declare(app), connectors.get, open_store)
    checkpoint = Checkpoint(app, f"people_{channel}")

    @app.timer(HOUSEKEEPING_SECONDS)  # type: ignore[untyped-decorator]
    async def keep_house_of_people() -> None:
        people.keep_house()

    @app.batch_agent(f"people_{channel}", app.names.inbound(channel), help=f"takes what people do on {channel}")
    async def take(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await checkpoint.when_durable(batch, await people.receive_batch(batch))

    return people
