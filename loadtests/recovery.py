"""How long a worker needs until it is at work again, by the size of its table and by what is left of it.

    python -m loadtests.recovery                           # 10,000, 100,000 and 300,000 messages; about 10 minutes
    python -m loadtests.recovery --messages 10000 50000

Messages go through `core` and a simulated channel, so the table ``message_state`` gets a row for each of them, and its
changelog some records more. Then the worker of `core` is killed and started again, in four ways:

* with its own store;
* without a store: it reads the whole changelog;
* without a store, from a changelog that Kafka has compacted;
* with neither, as after the retention of both.

Seconds are from the start of the process until ``/ready`` is 200.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete

from app.kafka.batch_producer import BatchProducer
from app.kafka.topic_admin import ensure_topics
from app.kafka.topics import Topics
from app.settings import Settings
from cli.workers import is_at_work, port_of, worker_specs
from loadtests.command_line import parser_of
from loadtests.groups import Groups, NotInTime
from loadtests.memory import Feed
from loadtests.processes import Process
from loadtests.servers import own_servers
from loadtests.system import Servers, system_settings

ROLES = ("core", "whatsapp")
_CHUNK = 2_000
_MOST_BEHIND = 20_000
_LONGEST_SECONDS = 300.0
_LOOK_SECONDS = 0.05
# so that Kafka compacts at once what it would compact within a day, and may delete what it keeps for ever
_SOON: Mapping[str, str] = {
    "cleanup.policy": "compact,delete",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "1000",
    "segment.ms": "1000",
}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.recovery", __doc__)
    parser.add_argument("--messages", type=int, nargs="+", default=[10_000, 100_000, 300_000])
    parser.add_argument("--conversations", type=int, default=2_000)
    return parser.parse_args(arguments)


class Changelog:
    """The changelog of ``message_state``."""

    def __init__(
        self, settings: Settings, producer: BatchProducer, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient
    ) -> None:
        self._producer = producer
        self._consumer = consumer
        self._admin = admin
        self.topic = Topics(settings.topic_prefix).changelog("core", "message_state")
        self._partitions = [TopicPartition(self.topic, number) for number in range(settings.partitions)]

    async def count(self) -> int:
        """Return how many records it has."""
        found = 0
        for tp in self._partitions:
            self._consumer.assign([tp])
            first = (await self._consumer.beginning_offsets([tp]))[tp]
            end = (await self._consumer.end_offsets([tp]))[tp]
            self._consumer.seek(tp, first)
            while first < end and await self._consumer.position(tp) < end:
                batches = await self._consumer.getmany(tp, timeout_ms=1_000, max_records=5_000)
                found += len(batches.get(tp, ()))
        return found

    async def compact(self) -> None:
        """Let Kafka compact it, and wait until it gets no shorter."""
        resource = ConfigResource(ConfigResourceType.TOPIC, self.topic, dict(_SOON))
        await self._admin.alter_configs([resource])
        await asyncio.sleep(2)
        for tp in self._partitions:  # a record ends the segment before it, which is what is compacted
            await self._producer.enqueue(tp.topic, tp.partition, b"nobody", None)
        before, count = -1, await self.count()
        while count != before:  # the cleaner looks each fifteen seconds
            await asyncio.sleep(40)
            before, count = count, await self.count()

    async def delete(self) -> None:
        """Delete all of its records."""
        ends = await self._consumer.end_offsets(self._partitions)
        await self._admin.delete_records({tp: RecordsToDelete(before_offset=end) for tp, end in ends.items()})


async def _started_again(core: Process) -> float:
    """Start the worker; return the seconds until it is at work. Raises ``NotInTime``."""
    began = monotonic()
    core.start()
    while not await is_at_work(port_of(core.spec)):
        if monotonic() - began > _LONGEST_SECONDS:
            raise NotInTime(f"core is at work: not within {_LONGEST_SECONDS:g} s")
        await asyncio.sleep(_LOOK_SECONDS)
    return monotonic() - began


async def measure(wanted: argparse.Namespace, servers: Servers, folder: Path) -> None:
    """Print a line for each number of messages and each way to begin."""
    settings = system_settings(servers, folder, log_level="WARNING")
    await ensure_topics(settings)
    core, channel = (Process(spec, folder) for spec in worker_specs(settings, dict.fromkeys(ROLES, 1)))
    producer = BatchProducer(settings.kafka, client_id="recovery")
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)

    async def nothing() -> None:
        """Leave everything as it is."""

    try:
        for process in (core, channel):
            process.start()
        for client in (producer, consumer, admin):
            await client.start()
        changelog = Changelog(settings, producer, consumer, admin)
        ways: Sequence[tuple[str, bool, Callable[[], Awaitable[None]]]] = (
            ("its own store", True, nothing),
            ("no store", False, nothing),
            ("no store, a compacted changelog", False, changelog.compact),
        )
        print("| messages | begins with | records in the changelog | s |\n|---|---|---|---|", flush=True)
        async with Groups.connected(settings) as groups:
            feed = Feed(settings, producer, groups, wanted.conversations)
            for target in sorted(wanted.messages):
                while feed.written < target:
                    await feed.write(min(_CHUNK, target - feed.written))
                    await feed.behind(_MOST_BEHIND)
                await feed.behind(0)
                for name, has_store, prepare in ways:
                    await _line(feed.written, name, core, changelog, settings, prepare, has_store=has_store)
            await _line(feed.written, "neither", core, changelog, settings, changelog.delete, has_store=False)
    finally:
        for process in (core, channel):
            process.kill()
        for client in (producer, consumer):
            await client.stop()
        await admin.close()


async def _line(
    messages: int,
    name: str,
    core: Process,
    changelog: Changelog,
    settings: Settings,
    prepare: Callable[[], Awaitable[None]],
    *,
    has_store: bool,
) -> None:
    """Kill the worker, prepare, start it again, and print what it took."""
    core.kill()
    await prepare()
    if not has_store:
        await asyncio.to_thread(_delete_stores, Path(settings.data_dir))
    records = await changelog.count()
    seconds = await _started_again(core)
    print(f"| {messages:,} | {name} | {records:,} | {seconds:.1f} |", flush=True)


def _delete_stores(folder: Path) -> None:
    stores = list(folder.glob("*core-core-1*"))
    assert stores, f"there is no store of core in {folder}"
    for store in stores:
        shutil.rmtree(store)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("recovery", ["kafka"]) as (stack, folder):
        uvloop.run(measure(wanted, stack, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
