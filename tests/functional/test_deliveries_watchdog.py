"""The watchdog judges a channel's worker by the deliveries that could start and do not, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest

from agents import scheduler
from agents.commands import Commands
from app.clock import now_ms
from app.kafka.codec import encode
from domain.accounts import Account
from domain.outcomes import NotNow, Scope
from domain.records import ChannelCommand
from support.deliveries import World, requests
from support.fakes import batch_of
from support.waiting import until

LONG_SECONDS = 900.0  # longer than the watchdog waits, shorter than the back-offs here


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the scheduler's clock forward."""
    ahead = [0.0]
    monkeypatch.setattr(scheduler, "monotonic", lambda: monotonic() + ahead[0])

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward


def verdicts(world: World, later: Callable[[float], None]) -> list[str]:
    """Return what the watchdog holds against the worker now and a long time later."""
    found = [stall() for stall in world.app.stalls]
    later(LONG_SECONDS)
    return [what for what in found + [stall() for stall in world.app.stalls] if what]


async def test_a_delivery_that_could_start_and_does_not_ends_the_worker(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    monkeypatch.setattr(world.dispatcher.scheduler, "_start_ready", lambda lane: None)  # a wake-up that was lost
    await world.deliver(requests("m-1"))
    assert verdicts(world, later) == ["a delivery could have started and did not"]
    monkeypatch.undo()
    world.dispatcher.scheduler.start_all()
    await until(world.is_done)
    assert world.dispatcher.scheduler.stalled_seconds() == 0


async def test_a_legal_batch_to_one_person_is_no_stall_however_slow_the_channel_is(
    later: Callable[[float], None],
) -> None:
    world = World()
    world.channel.open.clear()
    await world.deliver(requests(*(f"m-{n}" for n in range(500))))
    await until(lambda: world.channel.calls == ["m-0"])
    assert verdicts(world, later) == []
    world.channel.open.set()
    await until(world.is_done)
    assert len(world.facts()) == 500


@pytest.mark.parametrize("scope", list(Scope))
async def test_an_unreachable_recipient_and_a_throttled_account_are_no_stall(
    later: Callable[[float], None], scope: Scope
) -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("later", 3_600.0, scope)]
    await world.deliver(requests("m-1"))
    await until(lambda: [row.not_before_ms > now_ms() for row in world.rows()] == [True])
    assert verdicts(world, later) == []


async def test_a_paused_account_and_full_slots_are_no_stall(later: Callable[[float], None]) -> None:
    world = World(Account(channel="whatsapp", name="main"), Account(channel="whatsapp", name="other"), in_flight=1)
    pause = ChannelCommand("pause", "id-1", by="ann", at_ms=now_ms(), account="main")
    commands = Commands(world.app, world.dispatcher, world.choice, world.queue)  # type: ignore[arg-type]
    commands.receive_batch(batch_of("whatsapp-commands", encode(pause)))
    world.channel.open.clear()
    await world.deliver(requests("m-1", account="main"))
    for n in range(3):
        await world.deliver(requests(f"o-{n}", conversation=f"o-{n}", account="other"))
    await until(lambda: world.channel.calls == ["o-0"])
    assert verdicts(world, later) == []
    world.channel.open.set()
    await until(lambda: len(world.facts()) == 3)


async def test_a_receipt_that_never_comes_holds_nothing(later: Callable[[float], None]) -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    assert (world.dispatcher.scheduler.in_flight, world.rows()) == (0, [])
    assert verdicts(world, later) == []
