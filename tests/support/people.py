"""The inbound side of a channel on fakes: webhooks, the address book, and a provider whose files the test gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import orjson

from agents.people import People
from agents.webhooks import Sorter, parse_batch
from app.clock import now_ms
from app.faust.durable_table import DurableTable
from app.faust.stream_app import StreamApp
from app.kafka.codec import decode, encode
from domain.accounts import Account
from domain.inbound import ContactChanged, InboundEvent, Media, Person, SentReported, WebhookReceived
from domain.ports import ConnectorCapabilities
from domain.records import DeadLetter, MessageAccepted, ReceiptReported, Record
from fakes.file_store import MemoryFileStore
from fakes.webhooks import FakeWebhooks, webhook
from support.fakes import FakeApp, FakeBatchProducer, FakeTable, batch_of

ANA = {"phone": "+5511999990000", "user_id": "BR.1", "name": "Ana"}


class Phone:
    """A connector that people answer on. ``files``: bytes, or the error of a fetch, by the id of the media."""

    channel = "whatsapp"
    capabilities = ConnectorCapabilities(reports_sends=True)

    def __init__(self) -> None:
        self.files: dict[str, bytes | list[bytes | Exception]] = {}
        self.read: list[str] = []
        self.fetched: list[str] = []

    async def fetch(self, media: Media, most_bytes: int) -> AsyncIterator[bytes]:
        self.fetched.append(media.id)
        answer = self.files[media.id]
        if isinstance(answer, list):
            one = answer.pop(0)
            if isinstance(one, Exception):
                raise one
            answer = one
        for start in range(0, len(answer), 1 << 20):
            yield answer[start : start + (1 << 20)]

    async def mark_read(self, provider_id: str, is_typing: bool) -> None:
        self.read.append(f"{provider_id} typing" if is_typing else provider_id)


class CountedElements:
    """The metrics of an app: ``outcomes`` by name."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}

    def webhook_element(self, channel: str, outcome: str, count: int = 1) -> None:
        self.outcomes[str(outcome)] = self.outcomes.get(str(outcome), 0) + count

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


class Inbound:
    """A worker's inbound side: what comes in by ``post``, what it led to."""

    def __init__(self, *accounts: Account, **settings: object) -> None:
        options = {"inbox": "maria, joao", "stop_words": "stop, parar", "phone_number_id": "106"}
        self.accounts = accounts or (Account(channel="whatsapp", name="shop", options=options),)
        self.settings = settings
        self.producer = FakeBatchProducer()
        self.table = FakeTable(self.producer, "people-changelog")
        self.phone = Phone()
        self.store = MemoryFileStore()
        self.offset = 0
        self.start()

    def start(self) -> None:
        """Make a worker on the table as it is."""
        self.app = FakeApp(**self.settings)
        self.app.batch_producer = self.producer
        self.metrics = CountedElements()
        self.app.metrics = self.metrics  # type: ignore[assignment]
        app = cast(StreamApp, self.app)
        self.sorter = Sorter(FakeWebhooks(), self.accounts)
        connectors: Mapping[str, Any] = {account.name: self.phone for account in self.accounts}
        self.people = People(app, self.accounts, cast(DurableTable, self.table), connectors.get, lambda: self.store)
        self.app.assigned()

    async def crash(self) -> None:
        """End the worker with its memory, and begin a new one."""
        former = self.people
        self.producer = self.producer.copy()
        self.table = self.table.copy(self.producer)
        await former.drain()
        self.start()

    async def post(
        self, *elements: Mapping[str, object], our_id: str = "106", account: str = "", signers: tuple[str, ...] = ()
    ) -> None:
        """Let the provider post a webhook, and take all that it says."""
        await self.sort(webhook(*elements, our_id=our_id), account, signers)

    async def sort(self, body: bytes, account: str = "", signers: tuple[str, ...] = ()) -> None:
        """Parse a raw webhook, and take what goes to the address book."""
        before = len(self.producer.on("whatsapp-inbound"))
        record = encode(WebhookReceived(account, {}, body, now_ms(), signers))
        await parse_batch(cast(StreamApp, self.app), self.sorter, batch_of("whatsapp-webhooks", record, key=b"shop"))
        await self.take(*self.producer.on("whatsapp-inbound")[before:])

    async def take(self, *values: bytes, offset: int | None = None) -> None:
        """Take records of ``whatsapp-inbound``, at the next offsets or again at a former one."""
        start = self.offset if offset is None else offset
        batch = batch_of("whatsapp-inbound", *values, start=start, key=b"shop")
        self.offset = max(self.offset, start + len(values))
        for write in await self.people.receive_batch(batch):
            await write

    async def sent(self, message_id: str, conversation_id: str, address: str, to: str = "", token: str = "") -> None:
        """Let the deliveries report a send; its provider's id is ``p-<message id>``."""
        record = SentReported("shop", f"p-{message_id}", conversation_id, token or message_id, address, now_ms(), to)
        await self.take(encode(record))

    def messages(self) -> list[MessageAccepted]:
        return [decode(value, MessageAccepted) for value in self.producer.on("messages")]

    def contacts(self) -> list[ContactChanged]:
        return [decode(value, ContactChanged) for value in self.producer.on("whatsapp-contacts")]

    def receipts(self) -> list[ReceiptReported]:
        return [decode(value, ReceiptReported) for value in self.producer.on("whatsapp-events")]

    def letters(self) -> list[DeadLetter]:
        return [decode(value, DeadLetter) for value in self.producer.on("dead-letters")]

    def contact(self) -> ContactChanged:
        """The last word on the last person."""
        return self.contacts()[-1]


def message(element_id: str, text: str = "oi", **more: object) -> dict[str, object]:
    """A person's message, as the fake provider posts it."""
    return {
        "happening": "message",
        "element_id": element_id,
        "at_ms": now_ms(),
        "content": text,
        "person": ANA,
        **more,
    }


def receipt(status: str, target_id: str, token: str = "", **more: object) -> dict[str, object]:
    """A receipt, as the fake provider posts it."""
    element = {"happening": "receipt", "element_id": f"{target_id} {status}", "at_ms": now_ms(), "status": status}
    return {**element, "target_id": target_id, "token": token, **more}


def event(*, person: Mapping[str, str] = ANA, **fields: object) -> bytes:
    """An event of account shop, as it is on ``whatsapp-inbound``."""
    return encode(InboundEvent(person=Person(**person), account="shop", **fields))  # type: ignore[arg-type]


def body_of(*elements: Mapping[str, object]) -> bytes:
    return orjson.dumps({"our_id": "106", "elements": elements})


__all__ = ["ANA", "Inbound", "Phone", "Record", "body_of", "event", "message", "receipt"]
