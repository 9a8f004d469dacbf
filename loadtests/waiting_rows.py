"""A million deliveries wait for a dead account: how large is the worker, and how soon is a restart at work?

    python -m loadtests.waiting_rows                    # a million; about 10 minutes on two cores
    python -m loadtests.waiting_rows --rows 100000

The requests go straight to ``whatsapp-outbound``. When all are rows of the queue, the worker is killed and started
again, and the account is alive: it prints how long the first message of each partition takes from the start of the
process, and the worker's resident memory. Exit code 1 beyond --within seconds or --most-mib.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import uvloop

from app.kafka.batch_producer import BatchProducer
from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.pending_batches import PendingBatch
from app.kafka.topics import Topics
from app.settings import Settings
from domain.records import DeliveryRequested
from loadtests.channel_system import ChannelSystem, resident_mib
from loadtests.command_line import parser_of
from loadtests.groups import NotInTime
from loadtests.memory import CONTENT
from loadtests.servers import own_servers
from loadtests.system import Servers

CHANNEL = "whatsapp"
_PART = 20_000
_STALL_SECONDS = 180.0
_LOOK_SECONDS = 0.1


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.waiting_rows", __doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--within", type=float, default=10.0, help="seconds until a restart is at work")
    parser.add_argument("--most-mib", type=float, default=400.0, help="of the worker")
    parser.add_argument("--lines", type=int, default=10, help="lines of the table")
    parser.add_argument("--keep", type=Path, help="folder in which the logs stay")
    return parser.parse_args(arguments)


async def write(settings: Settings, first: int, count: int, conversations: int) -> None:
    """Write requests as ``route`` does; return when Kafka has them."""
    topic, at_ms = Topics(settings.topic_prefix).outbound(CHANNEL), time.time_ns() // 1_000_000
    batch_producer = BatchProducer(settings.kafka, client_id="waiting-rows")
    await batch_producer.start()
    writes: dict[PendingBatch, None] = {}
    try:
        for number in range(first, first + count):
            one = number % conversations
            name, address = f"c-{one}", f"{CHANNEL}:+55119{one:08d}"
            request = DeliveryRequested(str(uuid.uuid4()), name, "u-1", address, CONTENT, None, at_ms, number)
            key = name.encode()
            writes[batch_producer.enqueue(topic, partition_for(key, settings.partitions), key, encode(request))] = None
            if not number % 256:
                await asyncio.sleep(0)
        for each in writes:
            await each
    finally:
        await batch_producer.stop()


async def measure(wanted: argparse.Namespace, servers: Servers, folder: Path) -> bool:
    """Measure and print; return whether both bounds hold."""
    breaker = {"open_seconds": 1, "longest_open_seconds": 2}
    accounts = {CHANNEL: [{"name": "main", "breaker": breaker}]}
    async with ChannelSystem(servers, folder, {CHANNEL: 1}, accounts, log_level="WARNING") as system:
        await system.provider.change({"windows": [{"kind": "unavailable"}]})
        worker = system.worker(f"{CHANNEL}-1")
        largest, written = 0.0, 0
        print("| rows | rows/s | worker, MiB |\n|---|---|---|", flush=True)
        line = max(1, wanted.rows // wanted.lines)
        while written < wanted.rows:
            began, target = monotonic(), min(wanted.rows, written + line)
            while written < target:
                count = min(_PART, target - written)
                await write(system.settings, written, count, wanted.conversations)
                written += count
                await system.caught_up(CHANNEL, _STALL_SECONDS)
                largest = max(largest, resident_mib(worker))
            print(f"| {written:,} | {line / (monotonic() - began):,.0f} | {resident_mib(worker):.0f} |", flush=True)
        worker.kill()
        await system.provider.change({"windows": []})
        worker.start()
        seconds = await _at_work(system, wanted.within * 6)
        largest = max(largest, resident_mib(worker))
        taken = (await system.provider.counts())["taken"]
    print(f"every partition at work {seconds:.1f} s after the start of the process; {taken} taken by then")
    print(f"the worker was at most {largest:.0f} MiB")
    return bool(seconds <= wanted.within and largest <= wanted.most_mib)


async def _at_work(system: ChannelSystem, patience_seconds: float) -> float:
    """Return how long until the provider took a message of each partition. Raises ``NotInTime``."""
    began = monotonic()
    partitions = system.settings.partitions
    while monotonic() - began < patience_seconds:
        taken = await system.provider.taken(most=20_000)
        if len({partition_for(each.conversation.encode(), partitions) for each in taken}) == partitions:
            return monotonic() - began
        await asyncio.sleep(_LOOK_SECONDS)
    raise NotInTime(f"not every partition is at work after {patience_seconds:g} s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("waiting-rows", ["kafka"]) as (stack, folder):
        try:
            return 0 if uvloop.run(measure(wanted, stack, folder)) else 1
        finally:
            if wanted.keep:
                wanted.keep.mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    shutil.copy(log, wanted.keep)


if __name__ == "__main__":
    sys.exit(main())
