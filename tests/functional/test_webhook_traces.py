"""A receipt's webhook and its message: the receipt is a span of the message's trace, with a link to the webhook's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import orjson
import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agents.receipts import receive_batch
from agents.webhooks import Sorter, parse_batch
from app.faust.stream_app import StreamApp
from app.tracing import TRACEPARENT, Tracing
from domain.accounts import Account
from domain.correlation import SEPARATOR
from fakes.webhooks import SIGNATURE, FakeWebhooks, signature
from support.api import Api, running
from support.deliveries import World, requests
from support.fakes import FakeApp, FakeBatchProducer, batch_of
from support.waiting import until
from web.webhooks.service import WEBHOOKS

MESSAGES_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PROVIDERS_TRACE = "5bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "s3cret"
RECEIPT = {"happening": "receipt", "status": "DELIVERED", "token": f"c-1{SEPARATOR}m-1", "element_id": "e", "at_ms": 1}
BODY = orjson.dumps({"our_id": "", "elements": [RECEIPT]})


def traceparent(trace: str) -> str:
    return f"00-{trace}-00f067aa0ba902b7-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    made = Tracing(exporter, "test", at_once=True)
    yield made
    made.close()


@pytest_asyncio.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    (tmp_path / "accounts.toml").write_text('[[whatsapp]]\nname = "shop"\napp_secret_env = "SHOP_SECRET"\n')
    options = {"webhook_protocols": {"whatsapp": FakeWebhooks()}, "accounts": str(tmp_path / "accounts.toml")}
    async with running(Api(**options)) as api:
        yield api


async def posted(api: Api, signed_with: str = SECRET, **headers: str) -> int:
    answer = await api.call(
        "POST", "/webhooks/whatsapp", data=BODY, headers={SIGNATURE: signature(BODY, signed_with), **headers}
    )
    return answer.status


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


async def test_from_the_webhook_to_the_receipt_in_the_messages_trace(
    api: Api, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    api.app[WEBHOOKS]._tracing = tracing
    assert await posted(api) == 200
    (webhook,) = exporter.get_finished_spans()
    assert (webhook.name, webhook.parent) == ("webhook whatsapp", None)
    assert dict(webhook.attributes or {})["chat4all.account"] == "shop"
    (carried,) = api.record_log.headers["whatsapp-webhooks"]
    assert carried[TRACEPARENT].split(b"-")[1].decode() == trace_of(webhook)

    (raw,) = api.record_log.values("whatsapp-webhooks")
    parsing = FakeApp()
    parsing.batch_producer = FakeBatchProducer()
    batch = batch_of("whatsapp-webhooks", cast(bytes, raw.value), key=b"shop")
    batch.records[0].headers = tuple(carried.items())
    await parse_batch(
        cast(StreamApp, parsing), Sorter(FakeWebhooks(), [Account(channel="whatsapp", name="shop")]), batch
    )
    (event,), (headers,) = parsing.batch_producer.on("whatsapp-events"), parsing.batch_producer.headers

    world = World()
    world.app.tracing = tracing
    sending = requests("m-1")
    sending.records[0].headers = ((TRACEPARENT, traceparent(MESSAGES_TRACE).encode()),)
    await world.deliver(sending)
    await until(world.is_done)
    receipts = batch_of("whatsapp-events", event, key=b"c-1")
    receipts.records[0].headers = headers
    receive_batch(cast(StreamApp, world.app), world.dispatcher.receipts, receipts)
    (receipt,) = [span for span in exporter.get_finished_spans() if span.name == "receipt DELIVERED"]
    assert trace_of(receipt) == MESSAGES_TRACE
    assert [f"{link.context.trace_id:032x}" for link in receipt.links] == [trace_of(webhook)]


async def test_a_provider_that_names_a_trace_has_its_webhook_in_it(
    api: Api, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    api.app[WEBHOOKS]._tracing = tracing
    assert await posted(api, traceparent=traceparent(PROVIDERS_TRACE)) == 200
    assert [trace_of(span) for span in exporter.get_finished_spans()] == [PROVIDERS_TRACE]


async def test_a_webhook_that_is_refused_makes_no_span(
    api: Api, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    api.app[WEBHOOKS]._tracing = tracing
    assert await posted(api, signed_with="wrong", traceparent=traceparent(PROVIDERS_TRACE)) == 401
    assert not exporter.get_finished_spans(), "whoever finds the door cannot fill the collector"


async def test_a_webhook_that_kafka_does_not_take_is_a_failed_span(
    api: Api, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    api.app[WEBHOOKS]._tracing = tracing
    api.record_log.fails_on = "whatsapp-webhooks"
    assert await posted(api) == 503
    (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok
    assert SECRET not in span.to_json()


async def test_without_a_tracer_a_webhooks_record_carries_nothing(api: Api) -> None:
    assert await posted(api) == 200
    assert api.record_log.headers["whatsapp-webhooks"] == [{}]
