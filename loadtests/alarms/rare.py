"""Faults that need a hold on a process or on Kafka: ballast in memory, a quota, records lost and routed again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from app.kafka.address import kafka_options
from devstack import processes
from devstack.java import java_program
from devstack.kafka import Kafka

if TYPE_CHECKING:
    from loadtests.alarms.world import World

HEAVY_ROLE, BALLAST_BYTES = "mirror", 1_600_000_000
FOLLOWER, FOLLOWER_BYTES_A_SECOND = "chat4all-api-follower", 4_000
LOST = 50
RESET_SECONDS = 90.0
_BALLAST = """import os, shutil, threading, time
usage = shutil.disk_usage
def full(path):
    found = usage(path)
    return found._replace(free=found.total // 50) if os.path.exists(os.environ["BALLAST_FILE"] + "-disk") else found
shutil.disk_usage = full
def hold():
    held = None
    while True:
        wanted = os.path.exists(os.environ["BALLAST_FILE"])
        if wanted and held is None:
            held = b"x" * int(os.environ["BALLAST_BYTES"])
        elif not wanted:
            held = None
        time.sleep(0.5)
threading.Thread(target=hold, daemon=True).start()
"""


def ballast_environ(folder: Path) -> Mapping[str, str]:
    """Return what makes a Python process take ``BALLAST_BYTES`` while the file ``ballast`` is in ``folder``, and find
    its disk full while ``ballast-disk`` is.
    """
    code = folder / "ballast-code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "sitecustomize.py").write_text(_BALLAST, encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH", ""))))
    file = str(folder / "ballast")
    return {"PYTHONPATH": path, "BALLAST_FILE": file, "BALLAST_BYTES": str(BALLAST_BYTES)}


async def take_memory(world: World) -> None:
    """Let a worker hold ``BALLAST_BYTES``."""
    (world.system.folder / "ballast").touch()


async def free_memory(world: World) -> None:
    """Let it give them back."""
    (world.system.folder / "ballast").unlink(missing_ok=True)


async def fill_the_disk(world: World) -> None:
    """Let a worker find that a fiftieth of its disk is free."""
    (world.system.folder / "ballast-disk").touch()


async def free_the_disk(world: World) -> None:
    """Let it find the space again."""
    (world.system.folder / "ballast-disk").unlink(missing_ok=True)


async def let_tokens_expire(world: World) -> None:
    """Declare credentials that end tomorrow. Start a worker with them."""
    await _declare_end(world, 1)


async def renew_tokens(world: World) -> None:
    """Declare credentials that end in two months."""
    await _declare_end(world, 60)


async def _declare_end(world: World, days: int) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    world.system.declare(token_expires=day.isoformat())
    world.kill("instagram")
    await world.revive()


async def throttle_the_api(world: World) -> None:
    """Give the API's reader of the log few bytes a second, by a quota of Kafka, and send more than that."""
    await _quota(world, "--add-config", f"consumer_byte_rate={FOLLOWER_BYTES_A_SECOND}")
    await world.flood("whatsapp", 3_000)


async def throttle_no_more(world: World) -> None:
    """Take the quota away."""
    await _quota(world, "--delete-config", "consumer_byte_rate")


async def _quota(world: World, *words: str) -> None:
    kafka = world.system.stack.part("kafka")
    assert isinstance(kafka, Kafka)
    command = [
        *(java_program(), *kafka.class_path_and_logging(), "kafka.admin.ConfigCommand"),
        *("--bootstrap-server", kafka_options(world.system.settings)["bootstrap_servers"]),
        *("--alter", "--entity-type", "clients", "--entity-name", FOLLOWER, *words),
    ]
    environ = processes.minimal_environment()
    await asyncio.to_thread(subprocess.run, command, check=True, env=environ, timeout=60, capture_output=True)


async def lose_records(world: World) -> None:
    """Send messages while their channel has no worker, and let Kafka remove their records before it is back."""
    world.lost_since_ms = time.time_ns() // 1_000_000
    world.kill("whatsapp")
    await world.flood("whatsapp", LOST)
    await asyncio.sleep(5)  # the core writes them to the topic that nobody reads
    await world.remove_records("whatsapp")
    await world.revive()


async def route_again(world: World) -> None:
    """Do what docs/operations.md says of ``LedgerDiffers``: let the core route again from before the loss."""
    world.kill("core")
    words = ("replay", "reset", "core", "--to-time", str(world.lost_since_ms), "--topic", world.system.messages_topic)
    environ = {**os.environ, **world.system.settings.to_environ()}
    deadline = time.monotonic() + RESET_SECONDS
    said = ""
    while time.monotonic() < deadline:  # until its session has ended
        command = (sys.executable, "-m", "chat4all", *words, "--yes")
        pipe = asyncio.subprocess.PIPE
        done = await asyncio.create_subprocess_exec(*command, env=environ, stdout=pipe, stderr=pipe)
        said = b" ".join(await done.communicate()).decode(errors="replace")
        if done.returncode == 0:
            break
        await asyncio.sleep(2)
    await world.revive()
    if time.monotonic() >= deadline:
        raise RuntimeError(f"the core's group was not set: {said:.300}")
