"""Deliveries on fakes: a channel whose answers the test gives, and a store of files with a switch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from typing import Any, cast

from agents.attachments import Attachments
from agents.deliver import deliver_batch
from agents.dispatcher import Dispatcher
from app.clock import now_ms
from app.faust.batches import RecordBatch
from app.faust.durable_table import DurableTable
from app.faust.stream_app import StreamApp
from app.kafka.codec import decode, encode
from domain.attempts import Attempt
from domain.files import FileMetadata
from domain.outcomes import SendOutcome, Sent
from domain.ports import Attachment, FileStore, Receipt
from domain.records import DeliveryRequested, StatusChanged
from domain.status import Status
from fakes.file_store import MemoryFileStore
from support.fakes import FakeApp, FakeTable, batch_of
from tables import attempts


class Channel:
    """A connector whose answers the test gives. ``calls`` are message ids in the order of the calls."""

    def __init__(self, *, repeatable: bool = False, channel: str = "whatsapp") -> None:
        self.channel = channel
        self.repeatable = repeatable
        self.calls: list[str] = []
        self.attachments: list[Attachment | None] = []
        self.uploaded: list[bytes] = []
        self.answers: dict[str, list[SendOutcome | BaseException]] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.reading = asyncio.Event()
        self.reading.set()

    async def upload(self, attachment: Attachment) -> str:
        self.uploaded.append(b"")
        async for chunk in attachment.read():
            self.uploaded[-1] += chunk
        return "media-1"

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        self.calls.append(request.message_id)
        self.attachments.append(attachment)
        await self.open.wait()
        if self.answers.get(request.message_id):
            answer = self.answers[request.message_id].pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return Sent(f"p-{request.message_id}-{attempt}", 100)

    async def receipts(self, request: DeliveryRequested, sent: Sent) -> AsyncIterator[Receipt]:
        yield Receipt(Status.DELIVERED, 200)
        await self.reading.wait()
        yield Receipt(Status.READ, 300)


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
    """Deliveries with their surroundings. ``opened``: the stores of files that were opened."""

    def __init__(
        self,
        *,
        repeatable: bool = False,
        in_flight: int = 100,
        channel: str = "whatsapp",
        least_patience_seconds: float = 60.0,
        **settings: object,
    ) -> None:
        self.app = FakeApp(in_flight_per_worker=in_flight, **settings)
        self.table = FakeTable(self.app.batch_producer)
        self.channel = Channel(repeatable=repeatable, channel=channel)
        self.store = GatedStore()
        self.opened: list[FileStore] = []
        app, table = cast(StreamApp, self.app), cast(DurableTable, self.table)
        attachments = Attachments(app, self.channel, self.open_store, lambda number: 0.01, least_patience_seconds)
        self.dispatcher = Dispatcher(app, self.channel, table, attachments, lambda number, after_seconds, chance: 0.0)

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
        await deliver_batch(self.app, self.dispatcher, batch)  # type: ignore[arg-type]

    def facts(self) -> list[tuple[str, str]]:
        changes = [decode(value, StatusChanged) for value in self.app.batch_producer.on("status-updates")]
        return [(change.message_id, change.status) for change in changes]

    def attempt(self, message_id: str) -> Attempt | None:
        return attempts.load(self.table.rows.get(message_id.encode()))


def request(message_id: str, conversation: str = "c-1", file: FileMetadata | None = None, **more: Any) -> bytes:
    """A request as it is on the topic; one with a file is as old as the clock says."""
    known = DeliveryRequested(
        message_id,
        conversation,
        "u",
        "whatsapp:+5511999990000",
        "hi",
        None if file is None else "f-1",
        1 if file is None else now_ms(),
        0,
        file=file,
    )
    return encode(replace(known, **more))


def requests(*ids: str, conversation: str = "c-1", start: int = 0, **more: Any) -> RecordBatch:
    values = [request(i, conversation, **more) for i in ids]
    return batch_of("whatsapp-outbound", *values, start=start)


def to_three(file: FileMetadata, message_id: str = "m-1") -> list[bytes]:
    return [
        request(message_id, file=file, recipient_id=f"whatsapp:+551199999000{n}", recipient_count=3) for n in range(3)
    ]


def failure(world: World) -> StatusChanged:
    """The fact that tells of a failure."""
    changes = [decode(value, StatusChanged) for value in world.app.batch_producer.on("status-updates")]
    (failed,) = [change for change in changes if change.status == "FAILED"]
    return failed
