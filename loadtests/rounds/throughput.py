"""Consume-only throughput, ours against stock: ``python -m loadtests.rounds.throughput [--events 200000] [--times 3]``.

One worker reads a preloaded topic of six partitions, counts, and completes (or acks) every event. Time and CPU run
from the first to the last event, so that starting and joining do not count. CPU is that of the worker's process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka.admin import NewTopic

from app.kafka.batch_producer import BatchProducer
from app.kafka.partitions import partition_for
from loadtests.rounds.__main__ import kafka
from loadtests.rounds.journal import Journal
from loadtests.rounds.plan import PARTITIONS, Plan, RoundTopics
from loadtests.rounds.stock import StockApp
from loadtests.rounds.verdict import Broker
from loadtests.rounds.worker import RoundApp, new_loop

RUN_SECONDS = 120
VALUE = b"x" * 100


def plan_of(consumer: str) -> Plan:
    """Return the common settings of both measurements."""
    buffer = 64 if consumer == "ours" else 20_000
    plan = Plan.from_seed(1, consumer)
    return replace(plan, store="memory", table=False, static=False, delay_ms=0, poll=500, buffer=buffer)


class Count:
    """Counts to the last event, prints the figures and ends the process."""

    def __init__(self, events: int) -> None:
        self._left, self._events = events, events
        self._began: tuple[float, float] | None = None

    def look(self, value: bytes) -> None:
        """Take an event and read its value, as a real agent does."""
        if self._began is None:
            self._began = time.perf_counter(), time.process_time()
        self._left -= len(value) == len(VALUE)

    def end(self) -> None:
        if self._left <= 0 and self._began is not None:
            seconds, cpu = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
            figures = {"per_second": self._events / seconds, "cpu_ms": 1000 * cpu / self._events}
            print(json.dumps(figures), flush=True)
            os._exit(0)


def work(consumer: str, bootstrap: str, prefix: str, events: int, folder: Path) -> None:
    """Be the worker."""
    plan, count = plan_of(consumer), Count(events)

    class OurCount(RoundApp):
        def register_agents(self) -> None:
            @self.batch_agent("count", self.round_topics.input, help="counts")
            async def run(stream: Any) -> None:
                async for batch in stream:
                    for record in batch.records:
                        count.look(record.value)
                    self.consumer.complete(batch)
                    count.end()

    class StockCount(StockApp):
        def register_agents(self) -> None:
            raw = {"key_serializer": "raw", "value_serializer": "raw", "key_type": bytes, "value_type": bytes}

            @self.agent(self.topic(self.round_topics.input, partitions=PARTITIONS, **raw), name="count")  # type: ignore[untyped-decorator]
            async def run(stream: Any) -> None:
                async for event in stream.noack().events():
                    count.look(event.value)
                    event.ack()
                    count.end()

    loop = new_loop()
    settings = plan.settings(bootstrap, prefix, folder, "w")
    journal = Journal(folder / "journal")
    app = (OurCount if consumer == "ours" else StockCount)(plan, settings, journal)
    app.Worker(loglevel="WARNING", loop=loop).execute_from_commandline()


async def measure(bootstrap: str, events: int, times: int, folder: Path) -> dict[str, list[dict[str, float]]]:
    """Return the figures of each consumer, measured in turns."""
    figures: dict[str, list[dict[str, float]]] = {"ours": [], "stock": []}
    batch_producer = BatchProducer(bootstrap, client_id="throughput")
    await batch_producer.start()
    async with Broker(bootstrap) as broker:
        for n in range(times):
            for consumer in figures:
                topics = RoundTopics(f"throughput-{consumer}-{n}-{time.time_ns()}-")
                await broker.admin.create_topics([NewTopic(s.name, PARTITIONS, 1) for s in topics.specs()])
                await _preload(batch_producer, topics.input, events)
                figures[consumer].append(await _run(consumer, bootstrap, topics.prefix, events, folder))
                print(f"{consumer:<6} {figures[consumer][-1]}", flush=True)
                await broker.admin.delete_topics([spec.name for spec in topics.specs()])
    await batch_producer.stop()
    return figures


async def _preload(batch_producer: BatchProducer, topic: str, events: int) -> None:
    for begin in range(0, events, 10_000):
        keys = [b"k%07d" % n for n in range(begin, min(begin + 10_000, events))]
        writes = {batch_producer.enqueue(topic, partition_for(key, PARTITIONS), key, VALUE) for key in keys}
        for write in writes:
            await write


async def _run(consumer: str, bootstrap: str, prefix: str, events: int, folder: Path) -> dict[str, float]:
    command = ["-m", "loadtests.rounds.throughput", "--work", consumer, bootstrap, prefix, str(events), str(folder)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    figures: dict[str, float] = json.loads(output.decode().strip().splitlines()[-1])
    return figures


def main() -> None:
    """Measure, or run as the measured worker."""
    if sys.argv[1:2] == ["--work"]:
        consumer, bootstrap, prefix, events, folder = sys.argv[2:7]
        work(consumer, bootstrap, prefix, int(events), Path(folder))
        return
    parser = argparse.ArgumentParser(prog="python -m loadtests.rounds.throughput", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--kafka")
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic has no leader for a moment
    with kafka(options.kafka) as bootstrap, tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(bootstrap, options.events, options.times, Path(folder)))
    rates = {name: statistics.median(run["per_second"] for run in runs) for name, runs in figures.items()}
    costs = {name: statistics.median(run["cpu_ms"] for run in runs) for name, runs in figures.items()}
    print(f"medians of {options.times}:")
    for name in figures:
        print(f"{name:<6} {rates[name]:>9,.0f} events/s  {costs[name]:.4f} ms CPU an event")
    print(f"ratio  {rates['ours'] / rates['stock']:>9.2f}           {costs['ours'] / costs['stock']:.2f}")


if __name__ == "__main__":
    main()
