"""The faults: how each is planted, which alerts must fire, how it is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.roles import ROLES
from loadtests.alarms.rare import (
    fill_the_disk,
    free_memory,
    free_the_disk,
    let_tokens_expire,
    lose_records,
    renew_tokens,
    route_again,
    take_memory,
    throttle_no_more,
    throttle_the_api,
)
from loadtests.alarms.world import World

Step = Callable[[World], Awaitable[object]]
NO_WORKER = "RoleWithoutWorker"


@dataclass(frozen=True, slots=True)
class Fault:
    """``alerts`` must fire while it is planted; ``follows``: others that its consequences may bring.

    ``undo`` is done once all of them are firing, or after ``seconds``.
    """

    name: str
    alerts: tuple[str, ...]
    plant: Step
    undo: Step
    follows: tuple[str, ...] = ()
    seconds: float = 150.0


async def _nothing(_: World) -> None:
    pass


async def _misbehave(world: World, **faults: object) -> None:
    await world.misbehave(**faults)()


def _worker_killed(role: str) -> Fault:
    async def kill(world: World) -> None:
        world.kill(role)

    alerts = (f"{NO_WORKER} {role}", "ProcessDown")
    return Fault(f"the worker of {role} is killed", alerts, kill, World.revive, ("Lag", "FailedDeliveries"))


async def _kill_ledger(world: World) -> None:
    world.system.ledger.kill()


async def _start_ledger(world: World) -> None:
    world.system.ledger.start()


async def _kill_api(world: World) -> None:
    world.kill_apis()


async def _pause_and_flood(world: World) -> None:
    await world.order_account("telegram", "pause")
    await world.flood("telegram", 11_000)


async def _fail_a_channel(world: World) -> None:
    await _misbehave(world, windows=[{"channel": "instagram", "kind": "unavailable"}])


async def _slow_acceptance(world: World) -> None:
    kafka = world.system.stack.part("kafka").process
    if kafka is None:
        return
    deadline = asyncio.get_running_loop().time() + 45
    while asyncio.get_running_loop().time() < deadline:
        kafka.suspend()
        await asyncio.sleep(0.8)
        kafka.resume()
        await asyncio.sleep(0.4)


def _frozen(part: str) -> tuple[Step, Step]:
    async def freeze(world: World) -> None:
        world.freeze(part)

    async def thaw(world: World) -> None:
        world.thaw(part)

    return freeze, thaw


def _refusing(share: float) -> Step:
    return lambda world: _misbehave(world, refuse_share=share)


# these take minutes to be resolved, so the others go on meanwhile
BESIDE: tuple[Fault, ...] = (
    Fault(
        "the provider reports times that cannot be",
        ("ImpossibleTimes",),
        lambda world: _misbehave(world, impossible_time_share=1.0),
        lambda world: _misbehave(world, impossible_time_share=0.0),
    ),
    Fault(
        "an operator pauses an account, and 11,000 messages come for it",
        ("AccountPaused", "QueueDepth"),
        _pause_and_flood,
        lambda world: world.order_account("telegram", "resume"),
        ("AcceptSlow", "Lag", "LedgerStale"),
        seconds=600.0,
    ),
)
ONE_AFTER_THE_OTHER: tuple[Fault, ...] = (
    Fault(
        "records on a topic that nobody can decode",
        ("DeadLetters",),
        lambda world: world.write_nonsense("whatsapp", 5),
        _nothing,
    ),
    Fault(
        "the provider answers half of the calls with cut JSON",
        ("UnknownOutcomes",),
        lambda world: _misbehave(world, bad_json_share=0.5),
        lambda world: _misbehave(world, bad_json_share=0.0),
        ("DeadLetters", "BreakerOpen", "FailedDeliveries"),
    ),
    Fault(
        "the provider refuses a third of the messages",
        ("FailedDeliveries",),
        _refusing(0.34),
        _refusing(0.0),
        # the last: conversations that an unknown outcome of the fault before holds for its minute
        ("DeadLetters", "UnknownOutcomes", "DeliverySlow"),
    ),
    Fault(
        "a channel of the provider answers 503",
        ("BreakerOpen",),
        _fail_a_channel,
        lambda world: _misbehave(world, windows=[]),
        ("FailedDeliveries", "DeadLetters", "UnknownOutcomes"),
    ),
    Fault(
        "the provider takes two messages a second of each account",
        ("DeliverySlow",),
        lambda world: _misbehave(world, account_per_second=2.0),
        lambda world: _misbehave(world, account_per_second=0.0),
        ("UnknownOutcomes", "BreakerOpen", "FailedDeliveries", "DeadLetters", "LedgerStale"),
        seconds=240.0,
    ),
    Fault(
        "a worker takes 1.6 GB more",
        ("Memory",),
        take_memory,
        free_memory,
    ),
    Fault(
        "a worker's disk is nearly full",
        ("DiskFull",),
        fill_the_disk,
        free_the_disk,
    ),
    Fault(
        "the credentials of an account end tomorrow",
        ("TokenExpires",),
        let_tokens_expire,
        renew_tokens,
        ("ProcessDown", f"{NO_WORKER} instagram", "Lag", "FailedDeliveries"),
    ),
    Fault(
        "Kafka gives the API's reader 4,000 bytes a second, and 3,000 messages come",
        ("ApiBehind",),
        throttle_the_api,
        throttle_no_more,
        ("AcceptSlow", "Lag", "LedgerStale"),
    ),
    Fault(
        "the ledger's process is killed",
        ("LedgerStale",),
        _kill_ledger,
        _start_ledger,
    ),
    *map(_worker_killed, ROLES),
    Fault(
        "a worker is killed again and again",
        ("Restarts",),
        lambda world: world.restart_often("core", 6),
        _nothing,
        ("ProcessDown", f"{NO_WORKER} core"),
    ),
    Fault(
        "the API is killed",
        ("NoApi", "ProcessDown"),
        _kill_api,
        World.revive,
        ("AcceptSlow",),
    ),
    Fault(
        "WebSockets do not read",
        ("SlowListeners",),
        World.listen_without_reading,
        _nothing,
        ("AcceptSlow",),
    ),
    Fault(
        "Kafka stops for 0.8 s of each 1.2 s",
        ("AcceptSlow",),
        _slow_acceptance,
        _nothing,
        ("AcceptErrorsFast", "AcceptErrorsSlow", "ProcessDown", "Restarts"),
    ),
    Fault(
        "Cassandra is frozen",
        ("MirrorBehind", "Lag", "FileSweepFails"),
        *_frozen("cassandra"),
        ("AcceptErrorsFast", "AcceptErrorsSlow", "AcceptSlow"),
        seconds=240.0,
    ),
    Fault(
        "Kafka is frozen",
        ("AcceptErrorsFast", "AcceptErrorsSlow"),
        *_frozen("kafka"),
        (
            *("AcceptSlow", "Lag", "ProcessDown", "Restarts", "NoApi", "ApiBehind", "MirrorBehind"),
            *(f"{NO_WORKER} {role}" for role in ROLES),
        ),
    ),
)


# after the ledger, whose books would not balance meanwhile
LAST = Fault(
    "retention removes records that no worker has read; then the core routes them again",
    ("RecordsRemovedUnread", "LedgerDiffers"),
    lose_records,
    route_again,
    ("ProcessDown", f"{NO_WORKER} whatsapp", f"{NO_WORKER} core", "Lag", "DeliverySlow"),
)
