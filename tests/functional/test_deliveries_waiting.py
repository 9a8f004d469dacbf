"""Heads that wait for long: the next ones may overtake them, and they leave the memory when it is short."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest

from agents import delivery_queue
from agents.commands import Commands
from app.clock import now_ms
from app.kafka.codec import decode, encode
from app.metrics import Metrics
from domain.accounts import Account
from domain.breaker import BreakerState
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Sent
from domain.records import ChannelCommand
from domain.traces import TraceRecorded
from support.deliveries import World, requests
from support.fakes import batch_of
from support.waiting import stays, until
from tests.functional.test_worker_metrics import shown

SOON = 0.05 / 60  # minutes


def overtaking(**settings: object) -> World:
    world = World(overtake_minutes=SOON, **settings)  # type: ignore[arg-type]
    world.channel.answers["m-1"] = [NotNow("the file is being scanned", 3_600.0)]
    return world


def traced(world: World) -> list[str]:
    return [decode(value, TraceRecorded).reason for value in world.producer.on("traces")]


async def test_a_head_that_waits_for_too_long_is_overtaken_and_that_is_on_record() -> None:
    world = overtaking()
    metrics: Any = Metrics("whatsapp")
    world.app.metrics = metrics
    await world.deliver(requests("m-1", "m-2", "m-3"))
    await until(lambda: world.channel.calls == ["m-1", "m-2", "m-3"])
    await until(lambda: [row.name for row in world.rows()] == ["m-1"])
    assert world.rows()[0].is_overtaken
    assert "overtaken" in traced(world)
    [fact] = [change for change in world.changes() if change.overtaken_at_ms]
    assert (fact.message_id, fact.status, fact.account) == (world.rows()[0].name, "ACCEPTED", "default")
    assert 0 <= now_ms() - fact.overtaken_at_ms < 60_000
    assert shown(metrics, "overtaken_total") == {'account="default",channel="whatsapp"': 1}


async def test_without_the_setting_a_head_holds_those_behind_it() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("busy", 3_600.0)]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: len(traced(world)) == 2)
    await stays(lambda: world.channel.calls == ["m-1"], 0.1)


async def test_a_message_that_comes_when_the_time_is_over_overtakes_at_once() -> None:
    world = overtaking()
    await world.deliver(requests("m-1"))
    await until(lambda: len(traced(world)) == 2)
    await stays(lambda: world.channel.calls == ["m-1"])
    await world.deliver(requests("m-2"))
    await until(lambda: world.channel.calls == ["m-1", "m-2"])
    await world.deliver(requests("m-3"))
    await until(lambda: world.channel.calls == ["m-1", "m-2", "m-3"])


async def test_an_overtaken_message_is_sent_in_its_time_also_after_a_restart() -> None:
    world = overtaking()
    world.channel.answers["m-1"] = [NotNow("busy", 2.0)]
    world.channel.open.set()
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.channel.calls == ["m-1", "m-2"])
    world.crash()
    await world.deliver(requests("m-3"))
    await until(world.is_done)
    assert sorted(world.channel.calls) == ["m-1", "m-1", "m-2", "m-3"]
    assert world.channel.calls[-1] in ("m-1", "m-3")


async def test_an_overtaken_message_can_be_cancelled() -> None:
    world = overtaking()
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: world.channel.calls == ["m-1", "m-2"])
    receive(world, ChannelCommand("cancel", "id-1", token="m-1", by="ann", at_ms=now_ms()))
    await until(world.is_done)
    assert ("m-1", "FAILED") in world.facts()


async def test_a_throttled_pair_is_not_overtaken() -> None:
    world = overtaking()
    world.channel.answers["m-1"] = [NotNow("too many to this person", 3_600.0, Scope.PAIR)]
    await world.deliver(requests("m-1", "m-2"))
    await until(lambda: len(traced(world)) == 2)
    await stays(lambda: world.channel.calls == ["m-1"], 0.1)


async def test_heads_that_wait_for_long_do_not_count_against_those_in_memory() -> None:
    """Once 5,000 throttled addresses of one partition held all others of their account for hours."""
    world = World(most_heads=4)
    for n in range(12):
        world.channel.answers[f"m-{n}"] = [NotNow("later", 3_600.0, Scope.PAIR)]
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n:02}", recipient_id=f"whatsapp:+55119999911{n:02}"))
    await world.deliver(requests("o-1", conversation="d-1"))
    await until(lambda: ("o-1", "SENT") in world.facts())
    [backlog] = world.dispatcher.queue.backlogs.values()
    await until(lambda: len(backlog.chains) + len(backlog.sleeping) == 12)
    assert len(backlog.chains) <= 4


async def test_a_sleeping_chain_wakes_in_its_time_and_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_queue, "LEAST_SECONDS", 0.01)
    world = World(most_heads=2)
    for n in range(6):
        world.channel.answers[f"m-{n}"] = [NotNow("later", 0.3)]
        await world.deliver(requests(f"m-{n}", f"n-{n}", conversation=f"c-{n}"))
    await until(world.is_done, seconds=20)
    for n in range(6):
        assert [i for i in world.channel.calls if i.endswith(f"-{n}")] == [f"m-{n}", f"m-{n}", f"n-{n}"]


async def test_a_cancelled_head_of_a_sleeping_chain_lets_the_next_one_go() -> None:
    world = World(most_heads=2)
    for n in range(4):
        world.channel.answers[f"m-{n}"] = [NotNow("later", 3_600.0)]
        await world.deliver(requests(f"m-{n}", f"n-{n}", conversation=f"c-{n}"))
    await until(lambda: len(world.channel.calls) == 4)
    [backlog] = world.dispatcher.queue.backlogs.values()
    await until(lambda: backlog.sleeping)
    for n in range(4):
        receive(world, ChannelCommand("cancel", "id", token=f"m-{n}", by="ann", at_ms=now_ms()), key=f"c-{n}")
    await until(world.is_done)
    assert sorted(world.channel.calls[4:]) == [f"n-{n}" for n in range(4)]


def receive(world: World, command: ChannelCommand, key: str = "c-1") -> None:
    """Let the agent carry out a command."""
    commands = Commands(world.app, world.dispatcher, world.choice, world.queue)  # type: ignore[arg-type]
    commands.receive_batch(batch_of("whatsapp-commands", encode(command), key=key.encode()))


def holds(world: World) -> list[ChannelCommand]:
    return [decode(value, ChannelCommand) for value in world.producer.on("whatsapp-commands")]


@pytest.mark.parametrize(
    ("answer", "least_seconds"),
    [
        (Refused("190", "the token has expired", Refusal.AUTHENTICATION), 25),
        (Refused("368", "blocked for spam", Refusal.POLICY), 890),
        (NotNow("the account is restricted", 600.0, Scope.ACCOUNT), 590),
    ],
)
async def test_a_stopped_account_is_told_to_the_other_workers_once(answer: SendOutcome, least_seconds: int) -> None:
    world = World()
    world.channel.open.clear()
    for n in range(3):
        world.channel.answers[f"m-{n}"] = [answer]
        await world.deliver(requests(f"m-{n}", conversation=f"c-{n}"))
    world.channel.open.set()
    await until(lambda: world.lanes["default"].in_flight == 0)
    told = holds(world)
    assert len(told) == world.app.settings.partitions, "to each partition, once for three answers"
    assert {each.command for each in told} == {"hold"}

    own = world.lanes["default"].breaker.wait_seconds(monotonic())
    receive(world, told[0])
    assert world.lanes["default"].breaker.wait_seconds(monotonic()) <= own, "it tries again before the others"

    other = World()
    receive(other, told[0])
    assert other.lanes["default"].breaker.wait_seconds(monotonic()) > own
    assert other.lanes["default"].breaker.state(monotonic()) is BreakerState.OPEN
    assert other.lanes["default"].breaker.wait_seconds(monotonic()) >= least_seconds
    await other.deliver(requests("m-9"))
    await stays(lambda: other.channel.calls == [])
    assert holds(other) == [], "who is told does not tell"


async def test_a_hold_of_the_past_or_of_an_unknown_account_does_nothing() -> None:
    world = World()
    receive(world, ChannelCommand("hold", "id", "default", until_ms=now_ms() - 1))
    receive(world, ChannelCommand("hold", "id", "nobody", until_ms=now_ms() + 60_000))
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT")]


async def test_a_throttled_account_is_each_workers_own_affair() -> None:
    world = World(Account(channel="whatsapp", per_second=100.0))
    world.channel.answers["m-1"] = [NotNow("too many", 60.0, Scope.ACCOUNT, is_throttling=True), Sent("p", now_ms())]
    await world.deliver(requests("m-1"))
    await until(lambda: world.lanes["default"].in_flight == 0 and world.channel.calls)
    assert holds(world) == []
