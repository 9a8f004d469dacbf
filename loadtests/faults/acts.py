"""How each fault is made, and ended. An act takes the world and returns once the fault is over."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from app.fault_points import points_of
from loadtests.faults.proxy import PLAIN, Manner
from loadtests.faults.row import Act
from loadtests.faults.world import CHANNEL, World
from loadtests.groups import Groups, NotInTime, until

REACHED_SECONDS = 20.0
BACK_SECONDS = 60.0
RECOVERED = "recovered"  # a point that a worker reaches at its start
HOUR_MS = 3_600_000


async def at_work(world: World) -> None:
    """Wait until each role has all its partitions in the hands of all its workers."""
    async with Groups.connected(world.settings) as groups:
        for role, count in world.system.counts.items():

            async def is_whole(role: str = role, count: int = count) -> bool:
                return await groups.is_complete(role, count)

            await until(f"{role} is whole again", BACK_SECONDS, is_whole)


def killed_at(role: str, point: str) -> Act:
    """Kill the process of ``role`` that next reaches ``point``."""
    if point == RECOVERED:
        return killed_as_it_comes_back(role)

    async def act(world: World) -> str:
        file = world.system.arm(role, point, passes=2)

        async def is_gone() -> bool:
            return not file.exists()

        try:
            await until(f"{role} reaches {point}", REACHED_SECONDS, is_gone)
        except NotInTime:
            file.unlink(missing_ok=True)
            raise
        return ""

    return act


def killed_as_it_comes_back(role: str) -> Act:
    """Kill a worker, and its successor as soon as that has its tables."""

    async def act(world: World) -> str:
        name = f"{role}-1"
        file = world.system.arm_successor(name, RECOVERED)
        world.worker(name).kill()

        async def is_gone() -> bool:
            return not file.exists()

        try:
            await until(f"{name} reaches {RECOVERED}", BACK_SECONDS, is_gone)
        finally:
            file.unlink(missing_ok=True)
            world.system.disarm_successor(name)
        return ""

    return act


def killed(name: str) -> Act:
    """Kill a process by name."""

    async def act(world: World) -> None:
        world.system.process(name).kill()

    return act


def replaced_gracefully(name: str) -> Act:
    """Stop a worker with SIGTERM; it comes back."""

    async def act(world: World) -> str:
        began, before = asyncio.get_running_loop().time(), len(world.system.ends)

        async def has_ended() -> bool:
            return any(end[1] == name for end in world.system.ends[before:])

        world.worker(name).send(signal.SIGTERM)
        await until(f"{name} stops", BACK_SECONDS, has_ended)
        return f"stopped within {asyncio.get_running_loop().time() - began:.1f} s"

    return act


def frozen(name: str, seconds: float, times: int = 1, between_seconds: float = 6.0) -> Act:
    """Stop a worker with SIGSTOP for longer than its session, and let it go on; again and again."""

    async def act(world: World) -> None:
        for number in range(times):
            if number:
                await asyncio.sleep(between_seconds)
            pid = world.worker(name).pid
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGCONT)

    return act


def part_killed(part: str, seconds: float) -> Act:
    """Kill a server; start it again ``seconds`` later."""

    async def act(world: World) -> None:
        await asyncio.to_thread(world.part(part).kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(world.part(part).start)

    return act


def part_restarted(part: str) -> Act:
    """Stop a server gracefully, and start it again."""

    async def act(world: World) -> None:
        await asyncio.to_thread(world.part(part).stop)
        await asyncio.to_thread(world.part(part).start)

    return act


def part_paused(part: str, seconds: float) -> Act:
    """Freeze a server for ``seconds``: connections stay open, and nothing answers."""

    async def act(world: World) -> None:
        process = world.part(part).process
        assert process is not None
        process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            process.resume()

    return act


def cassandra(manner: Manner, seconds: float, times: int = 1) -> Act:
    """Let the way to Cassandra be as ``manner`` says for ``seconds``; with several times, as long plain in between."""

    async def act(world: World) -> str:
        for _ in range(times):
            world.cassandra.manner = manner
            await asyncio.sleep(seconds)
            world.cassandra.manner = PLAIN
            if times > 1:
                await asyncio.sleep(seconds)
        began = asyncio.get_running_loop().time()
        async with Groups.connected(world.settings) as groups:

            async def has_caught_up() -> bool:
                return await groups.lag("mirror") < 60

            await until("the mirror catches up", BACK_SECONDS, has_caught_up)
        return f"the mirror has caught up {asyncio.get_running_loop().time() - began:.1f} s after it"

    return act


def provider(changes: Mapping[str, Any], seconds: float) -> Act:
    """Let the provider behave as ``changes`` say for ``seconds``, then friendly again."""

    async def act(world: World) -> str:
        before = await _answers(world)
        await world.provider.change({"preset": "friendly", **changes})
        await asyncio.sleep(seconds)
        await world.provider.change({"preset": "friendly"})
        more = await _answers(world) - before
        return "answers: " + ", ".join(f"{count} {name}" for name, count in more.most_common())

    return act


async def _answers(world: World) -> Counter[str]:
    """Return how often the provider gave each kind of answer."""
    of_accounts: dict[str, dict[str, int]] = (await world.provider.counts())["answers"]
    return sum((Counter(answers) for answers in of_accounts.values()), Counter())


def clock_stepped(offset_ms: int, *roles: str) -> Act:
    """Step the clocks of all processes of ``roles`` for some seconds, and back."""

    async def act(world: World) -> None:
        for role in roles:
            world.system.set_clock(role, offset_ms)
        await asyncio.sleep(5)
        for role in roles:
            world.system.set_clock(role, 0)

    return act


async def disk_full(world: World) -> str:
    """Put the folder of a worker on a full disk of 24 MiB, then make room."""
    name = f"{CHANNEL}-2"
    worker = world.worker(name)
    folder = _data_folder(world, worker.spec.environ["CHAT4ALL_INSTANCE"])
    world.system.down.add(name)
    worker.kill()
    _run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder))
    try:
        world.system.down.discard(name)
        await at_work(world)
        ballast = folder / "ballast"
        _fill(ballast)
        ends = len(world.system.ends)
        await asyncio.sleep(10)
        crashes = len(world.system.ends) - ends
        ballast.unlink()
        await at_work(world)
        await asyncio.sleep(2)
    finally:
        world.system.down.add(name)
        worker.kill()
        _run("umount", "-l", str(folder))
        world.system.down.discard(name)
    return f"the worker ended {crashes} times within 10 s"


def _data_folder(world: World, instance: str) -> Path:
    settings = world.settings
    return Path(settings.data_dir) / f"{settings.topic_prefix}{CHANNEL}-{instance}"


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(64 * 1024))
        except OSError:
            return


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def all_kills() -> list[tuple[str, str]]:
    """Return role and point of each kill."""
    return [
        (role, point)
        for role in ("core", CHANNEL, "mirror", "api")
        for point in points_of(role)
        if "upload" not in point
    ]


STALLED = Manner(is_half_open=True)
SLOW = Manner(delay_seconds=(0.2, 0.6))
THROTTLED = Manner(bytes_per_second=20_000)
FLAKY = Manner(cut_share=0.05)
CLOSED = Manner(is_closed=True)
