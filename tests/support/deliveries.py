"""Deliveries on fakes: a channel whose answers the test gives, and a store of files with a switch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import cast

from agents.account_choice import AccountChoice
from agents.attachments import Attachments
from agents.deliver import deliver_batch
from agents.dispatcher import Dispatcher
from agents.handles import Handles
from agents.receipts import receive_batch
from app.clock import now_ms
from app.faust.batches import RecordBatch
from app.faust.durable_table import DurableTable
from app.faust.stream_app import StreamApp
from app.kafka.codec import decode, encode
from domain.accounts import Account
from domain.attempts import Attempt, QueuedDelivery
from domain.files import FileMetadata
from domain.outcomes import SendOutcome, Sent
from domain.ports import Attachment, ConnectorCapabilities, FileStore, Receipt
from domain.records import DeadLetter, DeliveryRequested, ReceiptReported, StatusChanged
from fakes.file_store import MemoryFileStore
from support.fakes import FakeApp, FakeBatchProducer, FakeTable, batch_of
from tables import attempts
from tables import queue as queue_rows


class Channel:
    """A connector whose answers the test gives. ``calls`` are message ids in the order of the calls.

    ``evidence``: the answers to look-ups; ``promises``: the receipts that it gives in this process.
    """

    def __init__(
        self, *, repeatable: bool = False, channel: str = "whatsapp", can_look_up: bool = False, **more: object
    ) -> None:
        self.channel = channel
        self.capabilities = ConnectorCapabilities(
            repeatable=repeatable,
            can_look_up=can_look_up,
            **more,  # type: ignore[arg-type]
        )
        self.requests: list[DeliveryRequested] = []
        self.questions: list[str] = []
        self.evidence: dict[str, SendOutcome] = {}
        self.promises: list[Receipt] = []
        self.calls: list[str] = []
        self.attachments: list[Attachment | None] = []
        self.uploaded: list[bytes] = []
        self.answers: dict[str, list[SendOutcome | BaseException]] = {}
        self.is_closed = False
        self.open = asyncio.Event()
        self.open.set()

    async def upload(self, attachment: Attachment) -> str:
        self.uploaded.append(b"")
        async for chunk in attachment.read():
            self.uploaded[-1] += chunk
        return "media-1"

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        self.calls.append(request.message_id)
        self.requests.append(request)
        self.attachments.append(attachment)
        await self.open.wait()
        if self.answers.get(request.message_id):
            answer = self.answers[request.message_id].pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return Sent(f"p-{request.message_id}-{attempt}", now_ms())

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        self.questions.append(request.message_id)
        return self.evidence[request.message_id]

    async def close(self) -> None:
        self.is_closed = True

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        return self.promises


class GatedStore(MemoryFileStore):
    """Reads wait while ``gate`` is closed. ``readers``: how many are under way; ``reads``: how many there were."""

    def __init__(self) -> None:
        super().__init__("https://files.example.org")
        self.gate = asyncio.Event()
        self.gate.set()
        self.readers = 0
        self.reads = 0

    async def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        self.readers += 1
        self.reads += 1
        try:
            async for chunk in super().read(key, start, length):
                await self.gate.wait()
                yield chunk
        finally:
            self.readers -= 1


class World:
    """Deliveries of one worker with partition 2, and their surroundings. ``opened``: the opened stores of files.

    ``chance`` is always 0.01, so a back-off is a hundredth of its bound.
    """

    def __init__(
        self,
        *accounts: Account,
        repeatable: bool = False,
        can_look_up: bool = False,
        in_flight: int = 100,
        channel: str = "whatsapp",
        most_heads: int = 1_000,
        **settings: object,
    ) -> None:
        self.accounts = accounts or (Account(channel=channel),)
        self.most_heads = most_heads
        self.settings = {"in_flight_per_worker": in_flight, **settings}
        self.producer = FakeBatchProducer()
        self.table = FakeTable(self.producer, "attempts-changelog")
        self.queue = FakeTable(self.producer, "queue-changelog")
        self.channel = Channel(repeatable=repeatable, channel=channel, can_look_up=can_look_up)
        self.channels = {account.name: self.channel for account in self.accounts}
        self.store = GatedStore()
        self.opened: list[FileStore] = []
        self.start()

    def start(self, *, begin: bool = True) -> None:
        """Make a worker on the tables as they are."""
        self.app = FakeApp(**self.settings)
        self.app.batch_producer = self.producer
        self.make_dispatcher()
        if begin:
            self.app.assigned()

    def make_dispatcher(self) -> None:
        """Make the dispatcher of the app."""
        app, queue, table = cast(StreamApp, self.app), cast(DurableTable, self.queue), cast(DurableTable, self.table)
        choice = AccountChoice(self.accounts, queue, lambda account: self.channels[account.name])
        self.choice, self.lanes = choice, choice.lanes
        attachments = {
            name: Attachments(
                app,
                channel,
                self.open_store,
                lambda: 0.01,
                Handles(queue, name, channel.capabilities.handle_days) if channel.capabilities.handle_days else None,
            )
            for name, channel in self.channels.items()
        }
        self.dispatcher = Dispatcher(
            app, self.channel.channel, choice, queue, table, attachments, lambda: 0.01, self.most_heads
        )

    def crash(self) -> None:
        """End the worker as ``kill -9`` does and begin a new one: memory is gone, and nothing is cleaned up."""
        former = self.dispatcher
        self.producer = self.producer.copy()
        self.queue, self.table = self.queue.copy(self.producer), self.table.copy(self.producer)
        former.scheduler.close()
        former.queue.drop()
        for task in former.tasks():  # what they still do goes to the former tables
            task.cancel()
        self.start()

    def open_store(self) -> FileStore:
        self.opened.append(self.store)
        return self.store

    def put(
        self, data: bytes, mimetype: str = "image/png", filename: str = "a.png", key: str = "c-1/f-1"
    ) -> FileMetadata:
        """Store a file and return what is known of it."""
        self.store.objects[key] = (data, 0)
        return FileMetadata(filename, len(data), mimetype, f"sha256:{sha256(data).hexdigest()}", key)

    async def deliver(self, batch: RecordBatch) -> None:
        """Put the batch into the queue; it is complete then."""
        app = cast(StreamApp, self.app)
        for write in await deliver_batch(app, self.dispatcher, batch):
            await write
        self.app.consumer.complete(batch)

    def receive(self, *reports: ReceiptReported, conversation: str = "c-1") -> None:
        """Let the channel report receipts."""
        batch = batch_of("whatsapp-events", *map(encode, reports), key=conversation.encode())
        receive_batch(cast(StreamApp, self.app), self.dispatcher.receipts, batch)

    def rows(self) -> list[QueuedDelivery]:
        """The deliveries in the queue, in order."""
        return [
            queue_rows.load(value)[0]
            for key, value in sorted(self.queue.rows.items())
            if key.startswith(queue_rows.DELIVERY)
        ]

    def letters(self) -> list[DeadLetter]:
        return [decode(value, DeadLetter) for value in self.producer.on("dead-letters")]

    def is_done(self) -> bool:
        """Whether no delivery is left in the queue."""
        return not self.rows()

    def changes(self) -> list[StatusChanged]:
        return [decode(value, StatusChanged) for value in self.producer.on("status-updates")]

    def facts(self) -> list[tuple[str, str]]:
        return [(change.message_id, change.status) for change in self.changes()]

    def attempt(self, message_id: str) -> Attempt | None:
        return attempts.load(self.table.rows.get(message_id.encode()))


def request(message_id: str, conversation: str = "c-1", file: FileMetadata | None = None, **more: object) -> bytes:
    """A request as it is on the topic, accepted now. The number at the end of the id is its position."""
    known = DeliveryRequested(
        message_id,
        conversation,
        "u",
        "whatsapp:+5511999990000",
        "hi",
        None if file is None else "f-1",
        now_ms(),
        int(message_id.rpartition("-")[2]) if message_id.rpartition("-")[2].isdigit() else 0,
        file=file,
    )
    return encode(replace(known, **more))  # type: ignore[arg-type]


def requests(*ids: str, conversation: str = "c-1", start: int = 0, **more: object) -> RecordBatch:
    values = [request(i, conversation, **more) for i in ids]  # type: ignore[arg-type]
    return batch_of("whatsapp-outbound", *values, start=start)


def to_three(file: FileMetadata, message_id: str = "m-1") -> list[bytes]:
    return [
        request(message_id, file=file, recipient_id=f"whatsapp:+551199999000{n}", recipient_count=3) for n in range(3)
    ]


def failure(world: World) -> StatusChanged:
    """The fact that tells of a failure."""
    (failed,) = [change for change in world.changes() if change.status == "FAILED"]
    return failed
