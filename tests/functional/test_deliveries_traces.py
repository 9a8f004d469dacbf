"""Traces: each call that an exchange or an objection came of, and each wait. What a simulation takes leaves none."""

from __future__ import annotations

import pytest

from agents import calls
from app.clock import now_ms
from app.kafka.codec import decode
from domain.outcomes import MOST_ANSWER, Exchange, NotNow, Sent
from domain.traces import TraceRecorded
from support.deliveries import World, requests
from support.waiting import stays, until


def traces(world: World) -> list[TraceRecorded]:
    return [decode(value, TraceRecorded) for value in world.producer.on("traces")]


async def test_a_call_leaves_its_exchange() -> None:
    world = World()
    exchange = Exchange(200, '{"messages":[{"id":"wamid.1"}]}', 3, 40, 55)
    world.channel.answers["m-1"] = [Sent("wamid.1", now_ms(), exchange=exchange)]
    await world.deliver(requests("m-1", start=7))
    await until(world.is_done)
    [trace] = traces(world)
    assert (trace.event, trace.outcome, trace.attempt, trace.account) == ("attempt", "sent", 1, "default")
    assert (trace.topic, trace.partition, trace.offset) == ("whatsapp-outbound", 2, 7)
    assert (trace.provider_status, trace.answer) == (200, exchange.answer)
    assert (trace.connect_ms, trace.first_byte_ms, trace.duration_ms) == (3, 40, 55)


async def test_a_wait_says_why_and_for_how_long() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("too many", 3_600.0, exchange=Exchange(429, "x" * 9_000))]
    await world.deliver(requests("m-1"))
    await until(lambda: len(traces(world)) == 2)
    call, wait = traces(world)
    assert (call.outcome, call.reason, len(call.answer)) == ("not-now", "too many", MOST_ANSWER)
    assert (wait.event, wait.reason, wait.answer) == ("waiting", "retry", "too many")
    assert 3_590_000 < wait.duration_ms <= 3_601_000


async def test_what_a_simulated_channel_takes_at_once_leaves_no_trace() -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert traces(world) == []


async def test_a_wait_for_the_account_is_shown_once_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "TRACED_WAIT_SECONDS", 0.02)
    world = World()
    world.lanes["default"].paused_on.add(2)
    await world.deliver(requests("m-1"))
    await stays(lambda: world.channel.calls == [], 0.05)
    assert traces(world) == []
    world.lanes["default"].paused_on.clear()
    world.dispatcher.scheduler.changed(world.lanes["default"])
    await until(world.is_done)
    [wait] = traces(world)
    assert (wait.event, wait.reason) == ("waiting", "paused")
    assert wait.duration_ms >= 50
    assert wait.at_ms <= now_ms() - wait.duration_ms
