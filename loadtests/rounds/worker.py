"""One worker of a round, on the product's own classes: ``python -m loadtests.rounds.worker FOLDER NAME KAFKA PREFIX``.

The plan is ``FOLDER/plan.json``; the journal is ``FOLDER/NAME.journal``. On SIGHUP the worker writes the rows of the
partitions that it owns to ``FOLDER/NAME.rows``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop
from faust.types import TP

from app.faust.batches import RecordBatch
from app.faust.checkpoint import Checkpoint
from app.faust.consumer import BatchConsumer, BatchTransport
from app.faust.stream_app import StreamApp
from app.kafka.topics import TopicSpec
from app.settings import Settings
from loadtests.rounds.fold import write_effects, write_rows
from loadtests.rounds.journal import Journal
from loadtests.rounds.plan import TABLE, Plan, RoundTopics

LIFETIME_SECONDS = 120  # the kernel ends a worker that was left behind


class WatchedConsumer(BatchConsumer):
    """The product's consumer, with a journal."""

    def complete(self, batch: RecordBatch) -> None:
        if self.is_current(batch):
            self.app.journal.write("C", batch.partition, batch.start, batch.end)
        super().complete(batch)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        for tp, offset in offsets.items():
            self.app.journal.write("M", tp.partition, offset)
        done = await super()._commit_offsets(offsets, start_new_transaction)
        for tp, offset in offsets.items() if done else ():
            self.app.journal.write("K", tp.partition, offset)
        return done

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self.app.journal.write("S")


class WatchedTransport(BatchTransport):
    Consumer = WatchedConsumer


class RoundApp(StreamApp):
    """Folds the input into a table, or into an output topic."""

    def __init__(self, plan: Plan, settings: Settings, journal: Journal) -> None:
        self.plan, self.journal = plan, journal
        self.round_topics = RoundTopics(settings.topic_prefix)
        super().__init__(settings)

    def _options(self, settings: Settings) -> dict[str, Any]:
        options = super()._options(settings)
        if level := os.environ.get("ROUNDS_LOG"):  # what the libraries say, to look into a bad round
            options["logging_config"] = {**options["logging_config"], "loggers": {"": {"level": level}}}
        return {**options, "stream_buffer_maxsize": self.plan.buffer, "web_enabled": False}

    def _new_transport(self) -> BatchTransport:
        return WatchedTransport(self.conf.broker_consumer, self)

    def required_topics(self) -> list[TopicSpec]:
        return self.round_topics.specs()

    def register_agents(self) -> None:
        checkpoint = Checkpoint(self, "fold")
        table = self.durable_table(TABLE, help="key → bits seen") if self.plan.table else None

        @self.batch_agent("fold", self.round_topics.input, help="input → fold")
        async def fold(stream: Any) -> None:
            async for batch in stream:
                self.journal.write("D", batch.partition, batch.start, batch.end)
                await asyncio.sleep(self.plan.delay_ms / 1000)
                if not self.consumer.is_current(batch):
                    continue
                writes = list(dict.fromkeys(write_effects(self, table, batch.partition, batch.records)))
                await checkpoint.when_durable(batch, writes)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process. All of its threads use uvloop, as ``faust -L uvloop`` makes them."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def main() -> None:
    """Run until somebody ends this process, or its time is over."""
    signal.alarm(LIFETIME_SECONDS)
    folder, name, kafka, prefix = Path(sys.argv[1]), *sys.argv[2:5]
    plan = Plan.from_json((folder / "plan.json").read_text())
    settings = plan.settings(kafka, prefix, folder, name)
    journal = Journal(folder / f"{name}.journal")
    loop = new_loop()
    if plan.consumer == "stock":
        from loadtests.rounds.stock import StockApp

        app: Any = StockApp(plan, settings, journal)
    else:
        app = RoundApp(plan, settings, journal)
    loop.add_signal_handler(signal.SIGHUP, write_rows, app, folder / f"{name}.rows")
    app.Worker(loglevel="WARNING", loop=loop).execute_from_commandline()


if __name__ == "__main__":
    main()
