"""``mirror`` (role mirror): writes messages and their facts to Cassandra, coalesced, until it works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from agents.facts import read_fact
from agents.gathered_batches import GatheredBatches
from agents.mirror_contacts import mirror_contacts
from agents.mirror_inbound import InboundMirror
from app.clock import now_ms
from app.fault_points import reach
from app.faust.checkpoint import Checkpoint
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode
from app.mirror_store import stores_of
from domain.errors import InvalidInput, MalformedRecord, StoreUnavailable
from domain.log_clock import LogClock
from domain.ports import LogPosition, MessageMirror, MirrorEntry
from domain.recipients import CHANNELS
from domain.records import MessageAccepted

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

log = logging.getLogger(__name__)

LONGEST_BACKOFF_SECONDS = 5.0
# besides its messages: of one to 256 there are some 800 facts
MAX_PILE_FACTS = 10_000
MAX_PILE_BYTES = 16 * 1024 * 1024  # of records


def register(app: StreamApp) -> None:
    stores = stores_of(app)
    mirroring = Mirroring(app, stores.messages, InboundMirror(stores.conversations, stores.users, stores.files))
    contacts_mirrored = Checkpoint(app, "mirror_contacts")
    books = [app.names.contacts(channel) for channel in CHANNELS]

    @app.batch_agent("mirror", app.names.messages, app.names.status_updates, help="messages and facts → Cassandra")
    async def mirror(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await mirroring.add(batch)

    async def store_contacts(batches: Sequence[RecordBatch]) -> None:
        if (writes := await mirror_contacts(app, stores.contacts, batches)) is not None:
            for batch in batches:
                await contacts_mirrored.when_durable(batch, writes)

    gathered = GatheredBatches(app, "mirror_contacts", store_contacts)

    @app.batch_agent("mirror_contacts", *books, help="address books → Cassandra")
    async def contacts(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await gathered.add(batch)


class _Pile:
    """The contents of one write: the entries by message, and the batches they came from."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], MirrorEntry] = {}  # by conversation and message
        self.batches: list[RecordBatch] = []
        self.writes: set[PendingBatch] = set()
        self.clocks: dict[int, LogClock] = {}
        self.newest_ms = 0
        self.facts = 0
        self.size_bytes = 0


class Mirroring:
    """Gathers the next write while one is being written; the agent waits while the next one is full."""

    def __init__(self, app: StreamApp, store: MessageMirror, inbound: InboundMirror) -> None:
        self._app = app
        self._inbound = inbound
        self._store = store
        self._pile = _Pile()
        self._writer: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._hurry = asyncio.Event()
        self._clocks: dict[int, LogClock] = {}
        self._epoch = -1
        app.on_drain(self.drain)

    async def add(self, batch: RecordBatch) -> None:
        """Take a batch of either topic; wait while the pile is full."""
        await self._room.wait()
        accepted = batch.tp.topic == self._app.names.messages
        if accepted and not await self._knows_clock(batch):
            return
        pile = self._pile
        for record in batch.records:
            try:
                (self._message if accepted else self._fact)(pile, record)
            except InvalidInput as error:
                # the agents of the core role dead-letter these already; here they are only passed over
                log.debug("not mirrored: %s[%d]@%d: %s", record.topic, record.partition, record.offset, error)
                continue
            pile.newest_ms = max(pile.newest_ms, record.timestamp)
            pile.size_bytes += len(record.value)
        pile.batches.append(batch)
        if self._is_full(pile):
            self._room.clear()
            self._hurry.set()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    def _is_full(self, pile: _Pile) -> bool:
        return (
            len(pile.entries) >= self._app.settings.mirror_batch_messages
            or pile.facts >= MAX_PILE_FACTS
            or pile.size_bytes >= MAX_PILE_BYTES
        )

    async def _knows_clock(self, batch: RecordBatch) -> bool:
        """Load the clock of the batch's partition. Return ``False`` if the partition was revoked first.

        Another worker may have advanced the partition meanwhile, so a rebalance clears all loaded clocks.
        """
        if self._epoch != batch.epoch:
            self._clocks, self._epoch = {}, batch.epoch
        backoff = 0.2
        while batch.partition not in self._clocks:
            try:
                self._clocks[batch.partition] = await self._store.clock(batch.partition)
                self._cassandra_is_back()
            except StoreUnavailable as error:
                self._wait_for_cassandra(error)
                await asyncio.sleep(backoff)
                backoff = min(LONGEST_BACKOFF_SECONDS, backoff * 2)
            if not self._app.consumer.is_current(batch):
                return False
        return True

    def _message(self, pile: _Pile, record: Any) -> None:
        position = LogPosition(record.timestamp, record.offset)
        clock = pile.clocks[record.partition] = self._clocks[record.partition]
        if (step := clock.take(position)) is not None:
            log.warning(
                "%s[%d]@%d: the broker's clock stepped back by %d ms",
                record.topic,
                record.partition,
                record.offset,
                step.before_ms - step.after_ms,
            )
        message = decode(record.value, MessageAccepted)
        entry = self._entry(pile, message.message_id, message.conversation_id, position)
        entry.message = message
        entry.rising_us = clock.rising_us(entry.position)

    def _fact(self, pile: _Pile, record: Any) -> None:
        change, fact = read_fact(record.value, record.timestamp)
        position = LogPosition(change.accepted_at_ms, change.position)
        entry = self._entry(pile, change.message_id, change.conversation_id, position)
        # also if it is there already: the store takes a set, and to look for it in a list of 800 takes longer
        entry.facts.append(fact)
        pile.facts += 1

    def _entry(self, pile: _Pile, message_id: str, conversation_id: str, position: LogPosition) -> MirrorEntry:
        """Return the pile's entry of a message. One with an idempotency key may be in the log twice: the first position
        is the message's."""
        key = (conversation_id, message_id)
        entry = pile.entries.get(key)
        if entry is None:
            entry = pile.entries[key] = MirrorEntry(message_id, conversation_id, position)
        elif position < entry.position:
            entry.position = position
        return entry

    async def _write(self) -> None:
        try:
            while self._pile.batches:
                try:
                    async with asyncio.timeout(self._app.settings.mirror_linger_seconds):
                        await self._hurry.wait()
                except TimeoutError:
                    pass
                pile, self._pile = self._pile, _Pile()
                self._hurry.clear()
                self._room.set()
                await self._persist(pile)
        except Exception as error:  # noqa: BLE001
            self._app.abort("agent mirror", error)

    def _wait_for_cassandra(self, error: StoreUnavailable) -> None:
        if self._app.blocked_on is None:
            log.warning("Cassandra does not answer the mirror, will try until it does: %s", error)
        self._app.blocked_on = "cassandra"

    def _cassandra_is_back(self) -> None:
        if self._app.blocked_on is not None:
            log.warning("Cassandra answers the mirror again")
            self._app.blocked_on = None

    async def _persist(self, pile: _Pile) -> None:
        backoff = 0.2
        while True:
            try:
                entries = list(pile.entries.values())
                reach("mirror-leaves")
                await self._inbound.write(entries)  # first: a message that is read has its conversation
                reach("mirror-between")
                await self._store.write(entries, list(pile.clocks.values()))
                reach("mirror-written")
                break
            except StoreUnavailable as error:
                self._wait_for_cassandra(error)
                self._show_delay(pile)  # it grows while Cassandra is away
                if not any(self._app.consumer.is_current(batch) for batch in pile.batches):
                    return  # the partitions went elsewhere, and with them this work
                await asyncio.sleep(backoff)
                backoff = min(LONGEST_BACKOFF_SECONDS, backoff * 2)
            except Exception as error:
                log.exception("Cassandra refused a batch of the mirror: %r", error)
                await self._one_by_one(pile)
                break
        self._cassandra_is_back()
        for write in pile.writes:
            await write
        reach("effects-durable")
        for batch in pile.batches:
            if self._app.consumer.is_current(batch):  # else it comes again
                self._app.consumer.complete(batch)
                self._app.metrics.completed("mirror", batch.records)
        self._show_delay(pile)

    def _show_delay(self, pile: _Pile) -> None:
        self._app.metrics.mirrored(pile.newest_ms)

    async def _one_by_one(self, pile: _Pile) -> None:
        """Write the entries one by one; refused ones go to ``dead-letters``."""
        # by position: the store takes a message as a promise that those before it in the conversation are written
        await self._store.write([], list(pile.clocks.values()))
        refused: dict[str, MalformedRecord] = {}
        for entry in sorted(pile.entries.values(), key=lambda entry: entry.position):
            try:
                await self._store.write([entry])
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001
                reason = f"Cassandra refused message {entry.message_id}: {error!r}"
                refused[entry.message_id] = MalformedRecord(reason)
        for batch in pile.batches:
            for record in batch.records:
                if (why := refused.get(_message_id_of(record.value))) is not None:
                    pile.writes.add(dead_letter(self._app, batch, record, why, now_ms()))

    async def drain(self) -> None:
        """Write the gathered entries, unless Cassandra is unavailable: then they will be delivered again."""
        self._hurry.set()
        if self._app.blocked_on is None and self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])
        self._pile = _Pile()
        self._room.set()


def _message_id_of(value: bytes | None) -> str:
    """Return the message id in a record; empty for a malformed record, of which nothing was written."""
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return ""
    message_id = document.get("message_id") if isinstance(document, dict) else None
    return message_id if isinstance(message_id, str) else ""
