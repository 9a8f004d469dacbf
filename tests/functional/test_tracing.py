"""Traces: one for each message, from the request to its receipts; nothing at all when no collector is set."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agents.route import route_batch
from app.clock import now_ms
from app.faust.checkpoint import Checkpoint
from app.kafka.codec import encode
from app.settings import Settings
from app.tracing import TRACEPARENT, Tracing, tracing_of
from channels.http import outgoing
from channels.http.client import HttpClient
from domain.outcomes import Refused
from domain.records import MessageAccepted, ReceiptReported
from loadtests.system import free_ports
from support.api import Api
from support.deliveries import World, requests
from support.fakes import FakeApp, batch_of
from support.waiting import until
from web.http.app_keys import TRACING

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
IN_TRACE = ((TRACEPARENT, PARENT.encode()),)


class Traced:
    """A tracer, and the spans that ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(self.exporter, "test", at_once=True)

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def of_trace(self, trace: str) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans() if trace_of(span) == trace]


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


@pytest.fixture
def traced() -> Iterator[Traced]:
    made = Traced()
    yield made
    made.tracing.close()


async def test_a_request_goes_on_with_the_clients_trace_and_its_record_carries_it(api: Api, traced: Traced) -> None:
    api.app._state[TRACING] = traced.tracing
    token = await api.somebody()
    await api.call("POST", "/v1/messages", api.message(), token, headers={"traceparent": PARENT})
    (span,) = traced.spans("POST /v1/messages")
    assert trace_of(span) == TRACE
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 202
    (carried,) = [headers[TRACEPARENT] for _, _, headers in api.log.records]
    assert carried.split(b"-")[1].decode() == TRACE
    assert carried != PARENT.encode(), "what follows belongs below the request's own span"


async def test_each_message_of_a_batch_has_a_trace_of_its_own_linked_to_the_requests(api: Api, traced: Traced) -> None:
    api.app._state[TRACING] = traced.tracing
    api.services.sending._tracing = traced.tracing
    token = await api.somebody()
    body = {"messages": [api.message(content=f"m {n}") for n in range(3)]}
    await api.call("POST", "/v1/messages/batch", body, token, headers={"traceparent": PARENT})
    accepted = traced.spans("accept")
    assert len({trace_of(span) for span in accepted} | {TRACE}) == 4
    assert {f"{span.links[0].context.trace_id:032x}" for span in accepted} == {TRACE}
    carried = {headers[TRACEPARENT].split(b"-")[1].decode() for _, _, headers in api.log.records}
    assert carried == {trace_of(span) for span in accepted}


async def test_routing_the_call_and_the_receipt_are_spans_of_the_messages_trace(traced: Traced) -> None:
    world = World()
    world.app.tracing = traced.tracing
    heard: list[str] = []
    send = world.channel.send

    async def sending(*args: object) -> object:
        heard.append(outgoing.traceparent.get())
        return await send(*args)

    world.channel.send = sending  # type: ignore[method-assign]
    world.channel.answers["m-2"] = [Refused("blocked", "")]
    batch = requests("m-1", "m-2")
    batch.records[0].headers = IN_TRACE
    batch.records[1].headers = ((TRACEPARENT, PARENT.replace("4bf9", "5bf9").encode()),)
    await world.deliver(batch)
    await until(world.is_done)
    world.receive(ReceiptReported("default", "p-m-1-1", "m-1", "DELIVERED", now_ms()))
    assert traced.of_trace(TRACE) == ["send whatsapp", "receipt DELIVERED"]
    assert [parent.split("-")[1] for parent in heard] == [TRACE, TRACE.replace("4bf9", "5bf9")]
    assert not outgoing.traceparent.get()
    assert traced.spans("send whatsapp")[1].status.description == "refused"
    facts = [
        headers
        for (topic, *_), headers in zip(world.producer.records, world.producer.headers, strict=True)
        if topic == "status-updates"
    ]
    assert all(dict(headers)[TRACEPARENT].split(b"-")[1].decode().endswith("36") for headers in facts)
    assert len(facts) == 3


async def test_without_a_tracer_no_outcome_on_record_names_a_trace() -> None:
    world = World()
    batch = requests("m-1")
    batch.records[0].headers = IN_TRACE
    await world.deliver(batch)
    await until(world.is_done)
    assert not any(b"4bf92f" in value for topic, _, _, value in world.producer.records if value and "attempts" in topic)


async def test_a_batch_has_a_span_with_links_and_each_message_a_span_that_links_to_it(traced: Traced) -> None:
    app: Any = FakeApp()
    app.tracing = traced.tracing
    message = encode(MessageAccepted("m-1", "c-1", "u-1", "whatsapp:+5511999990000", "hi"))
    batch = batch_of("messages", message, message, message)
    batch.records[0].headers = IN_TRACE
    batch.records[2].headers = ((TRACEPARENT, b"nonsense"),)
    checkpoint = Checkpoint(app, "route")
    await checkpoint.when_durable(batch, await route_batch(app, batch))
    await checkpoint.drain()
    (whole,) = traced.spans("route batch")
    assert [f"{link.context.trace_id:032x}" for link in whole.links] == [TRACE]
    assert traced.of_trace(TRACE) == ["route"]
    (route,) = [span for span in traced.spans("route") if trace_of(span) == TRACE]
    assert whole.context is not None
    assert route.links[0].context.span_id == whole.context.span_id


async def test_the_provider_gets_the_traceparent() -> None:
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent"))
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/messages", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    client = HttpClient(f"http://127.0.0.1:{port}", {})
    await client.ask("POST", "messages", json={})
    token = outgoing.traceparent.set(PARENT)
    await client.ask("POST", "messages", json={})
    outgoing.traceparent.reset(token)
    await client.close()
    await runner.cleanup()
    assert seen == [None, PARENT]


async def test_spans_reach_a_collector_by_otlp_and_a_dead_collector_holds_nobody_up() -> None:
    got: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        got.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(body=b"")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    tracing = tracing_of(Settings(otlp_url=f"http://127.0.0.1:{port}/", instance="core-1"), "core")
    assert tracing is not None
    with pytest.raises(ValueError, match="bad"), tracing.span("work", "INTERNAL", PARENT):
        raise ValueError("bad")
    await asyncio.to_thread(tracing.close)
    await runner.cleanup()
    (resource,) = got[0].resource_spans
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (about["service.name"], about["service.instance.id"]) == ("chat4all-core", "core-1")
    (span,) = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex()) == ("work", TRACE)
    dead = tracing_of(Settings(otlp_url=f"http://127.0.0.1:{port}"), "core")
    assert dead is not None
    dead.start("lost", "INTERNAL").end()
    await asyncio.wait_for(asyncio.to_thread(dead.close), 15)


def test_a_share_of_the_traces_is_kept_and_a_callers_decision_is_respected() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter, "test", share=0.0, at_once=True)
    tracing.start("ours", "INTERNAL").end()
    tracing.start("theirs", "INTERNAL", PARENT).end()
    assert [span.name for span in exporter.get_finished_spans()] == ["theirs"]


def test_without_a_collector_opentelemetrys_sdk_is_not_imported() -> None:
    assert tracing_of(Settings(), "core") is None
    code = "import sys, web.server, app.faust.stream_app; print('opentelemetry.sdk' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert process.stdout == "False\n"
