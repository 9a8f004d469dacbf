"""Shows where the memory of the workers ends: many messages, on a real Kafka, with the resident size of each process.

    python -m loadtests.memory                          # a million messages; about a quarter of an hour on two cores
    python -m loadtests.memory --messages 200000

The records go straight to ``messages``, so the API and Cassandra take no processor time from the workers. Exit code 1
if a worker grew by more than a tenth of its size over the last third of the messages.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import uvloop

from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topic_admin import ensure_topics
from app.kafka.topics import Topics
from app.settings import Settings
from cli.workers import worker_specs
from domain.records import MessageAccepted
from loadtests.command_line import parser_of
from loadtests.groups import Groups, until
from loadtests.processes import Process
from loadtests.servers import own_servers
from loadtests.system import free_ports

ROLES = ("core", "whatsapp")
MOST_GROWTH = 0.10
_CHUNK = 2_000
_MOST_BEHIND = 20_000
_READY_SECONDS, _STALL_SECONDS = 60.0, 120.0
_MIB = 2**20
CONTENT = "See you at eight, at the usual place. Bring the others, and something to drink."


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.memory", __doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=20_000)
    parser.add_argument("--lines", type=int, default=20, help="lines of the table")
    return parser.parse_args(arguments)


def resident_mib(process: Process) -> float:
    """Return the resident memory of a process in MiB."""
    return float(psutil.Process(process.pid).memory_info().rss) / _MIB


class Feed:
    """Writes messages as the API does, never more than ``_MOST_BEHIND`` ahead of the slowest role."""

    def __init__(self, settings: Settings, batch_producer: BatchProducer, groups: Groups, conversations: int) -> None:
        self._settings = settings
        self._batch_producer = batch_producer
        self._groups = groups
        self._conversations = conversations
        self._topic = Topics(settings.topic_prefix).messages
        self.written = 0

    async def write(self, count: int) -> None:
        """Write ``count`` messages and wait until Kafka has them."""
        writes = set()
        for number in range(self.written, self.written + count):
            one = number % self._conversations
            message = MessageAccepted(str(uuid.uuid4()), f"c-{one}", "u-1", f"whatsapp:+55119{one:08d}", CONTENT)
            key = message.conversation_id.encode()
            partition = partition_for(key, self._settings.partitions)
            writes.add(self._batch_producer.enqueue(self._topic, partition, key, encode(message)))
        for write in writes:
            await write
        self.written += count

    async def behind(self, most: int) -> None:
        """Return once no role has more than ``most`` records left. Raises ``NotInTime``."""
        for role in ROLES:

            async def is_near(role: str = role) -> bool:
                return await self._groups.lag(role) <= most

            await until(f"{role} is at most {most} records behind", _STALL_SECONDS, is_near)


async def measure(wanted: argparse.Namespace, settings: Settings, processes: list[Process]) -> bool:
    """Print a line for each part of the messages; return whether every worker's size was level at the end."""
    batch_producer = BatchProducer(settings.kafka, client_id="memory")
    await batch_producer.start()
    sizes: list[list[float]] = []
    try:
        async with Groups.connected(settings) as groups:
            for role in ROLES:
                await until(f"{role} is ready", _READY_SECONDS, partial(groups.is_complete, role, 1))
            feed = Feed(settings, batch_producer, groups, wanted.conversations)
            print(f"| messages | messages/s | {' | '.join(f'{role}, MiB' for role in ROLES)} |")
            print(f"|---|---|{'---|' * len(ROLES)}", flush=True)
            part = max(1, wanted.messages // wanted.lines)
            while feed.written < wanted.messages:
                began, target = time.monotonic(), min(wanted.messages, feed.written + part)
                while feed.written < target:
                    await feed.write(min(_CHUNK, target - feed.written))
                    await feed.behind(_MOST_BEHIND)
                await feed.behind(0)
                sizes.append([resident_mib(process) for process in processes])
                rate = part / (time.monotonic() - began)
                shown = " | ".join(f"{size:.0f}" for size in sizes[-1])
                print(f"| {feed.written:,} | {rate:,.0f} | {shown} |", flush=True)
    finally:
        await batch_producer.stop()
    return is_level(sizes)


def is_level(sizes: Sequence[Sequence[float]]) -> bool:
    """Return whether no process grew by more than ``MOST_GROWTH`` over the last third of ``sizes``."""
    before, after = sizes[len(sizes) * 2 // 3 - 1] if len(sizes) > 2 else sizes[0], sizes[-1]
    growth = [end / begin - 1 for begin, end in zip(before, after, strict=True)]
    shown = ", ".join(f"{role} {share:+.1%}" for role, share in zip(ROLES, growth, strict=True))
    print(f"\nover the last third of the messages: {shown}")
    return all(share <= MOST_GROWTH for share in growth)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("memory", ["kafka"]) as (stack, folder), ExitStack() as ends:
        settings = replace(
            Settings(),
            kafka=stack.kafka_bootstrap,
            data_dir=str(folder / "workers"),
            node="memory",
            metrics_port=free_ports(len(ROLES)),
            simulated_delivered_seconds=(0.0, 0.0),
            simulated_read_seconds=(0.0, 0.0),
            log_level="WARNING",
            log_format="text",
        )
        uvloop.run(_topics(settings))
        processes = _started(settings, folder, ends)
        return 0 if uvloop.run(measure(wanted, settings, processes)) else 1


async def _topics(settings: Settings) -> None:
    await ensure_topics(settings)


def _started(settings: Settings, folder: Path, ends: ExitStack) -> list[Process]:
    processes = [Process(spec, folder) for spec in worker_specs(settings, dict.fromkeys(ROLES, 1))]
    for process in processes:
        ends.callback(process.kill)
        process.start()
    return processes


if __name__ == "__main__":
    sys.exit(main())
