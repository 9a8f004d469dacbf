"""Runs one round from its plan to its verdict."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import NewTopic

from app.audit_anomalies import anomalies
from app.kafka.batch_producer import BatchProducer
from loadtests.rounds.journal import examine, log_lines
from loadtests.rounds.load import Load
from loadtests.rounds.plan import Plan, RoundTopics
from loadtests.rounds.verdict import Broker, wrong_keys
from loadtests.rounds.workers import Worker, end_all

PATIENCE_SECONDS = 30.0
LOCAL_SECONDS = 20.0  # a killed worker's partitions need a session's end and a recovery to have an owner
ROUND_SECONDS = 115.0
FREEZE_SECONDS = 8.0  # longer than a session

_numbers = itertools.count(time.time_ns() // 1_000_000)


@dataclass
class Result:
    """The result of one round. ``lost``: keys with a wrong fold on the broker after all commits."""

    plan: Plan
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)  # keys that are wrong in the tables of the living workers
    stuck: dict[int, int] = field(default_factory=dict)  # partition → lag that remained
    early: list[str] = field(default_factory=list)
    repeated: int = 0
    deaths: list[str] = field(default_factory=list)
    anomalies: Mapping[str, int] = field(default_factory=dict)  # of the deliveries, by Jepsen's names

    @property
    def good(self) -> bool:
        return not (self.lost or self.local or self.stuck or self.early)

    def __str__(self) -> str:
        bad = [] if self.good else ["BAD"]
        if self.local:
            bad.append(f"local tables wrong {len(self.local)}")
        if self.early:
            bad.append(f"early commits {len(self.early)}")
        bad += [f"{name} {count}" for name, count in self.anomalies.items()]
        if self.deaths:
            bad.append("died: " + ", ".join(self.deaths))
        figures = f"{self.seconds:5.1f} s  lost {len(self.lost)}  stuck {sum(self.stuck.values())}"
        return f"seed {self.plan.seed:<4} {self.plan!s:<72} {figures}  repeated {self.repeated}  {'; '.join(bad)}"


class Round:
    """One round. ``folder`` keeps journals and logs."""

    def __init__(self, plan: Plan, kafka: str, folder: Path) -> None:
        self.plan, self._kafka, self._folder = plan, kafka, folder
        self._prefix = f"r{plan.seed}-{next(_numbers)}-"
        self._workers: list[Worker] = []

    async def run(self) -> Result:
        """Run it, for at most ``ROUND_SECONDS``."""
        result = Result(self.plan)
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "plan.json").write_text(self.plan.to_json())
        topics = RoundTopics(self._prefix)
        batch_producer = BatchProducer(self._kafka, client_id="rounds")
        await batch_producer.start()
        try:
            async with asyncio.timeout(ROUND_SECONDS), Broker(self._kafka) as broker:
                await broker.admin.create_topics(
                    [NewTopic(s.name, s.partitions, 1, topic_configs=s.config) for s in topics.specs()]
                )
                load = Load(self.plan, topics, batch_producer, self._kafka)
                await self._play(load)
                result.stuck = await broker.caught_up(topics, PATIENCE_SECONDS)
                if result.stuck:
                    await self._ask_for_stacks()
                await self._judge(result, load, topics, broker)
                await end_all(self._workers)
                await broker.admin.delete_topics([spec.name for spec in topics.specs()])
        except TimeoutError:
            result.stuck = result.stuck or {-1: 1}
            result.deaths.append(f"not over after {ROUND_SECONDS:.0f} s")
        finally:
            await end_all(self._workers)
            await batch_producer.stop()
        result.seconds = time.monotonic() - began
        return result

    async def _judge(self, result: Result, load: Load, topics: RoundTopics, broker: Broker) -> None:
        table = self.plan.table
        if not result.stuck:
            effects = await broker.fold(topics.changelog if table else topics.output, table)
            result.lost = wrong_keys(load.expected, effects)
            if table:
                result.local = await self._local(load.expected)
        journals = [worker.journal for worker in self._workers if worker.journal.exists()]
        findings = examine(journals, load.first)
        result.early, result.repeated = findings.early, findings.repeated
        result.anomalies = anomalies(log_lines(journals, load.first, await broker.ends(topics.input))).counts
        result.deaths = [death for worker in self._workers for death in worker.deaths]

    async def _ask_for_stacks(self) -> None:
        for worker in self._workers:
            worker.send(signal.SIGUSR1)  # mode writes the stack of every task to the log
        await asyncio.sleep(2)

    async def _local(self, expected: dict[bytes, int]) -> list[str]:
        """Wait until the tables of the living workers hold the fold, and return the wrong keys."""
        deadline = time.monotonic() + LOCAL_SECONDS
        while True:
            rows: dict[bytes, int] = {}
            for worker in self._workers:
                rows |= await worker.rows()
            wrong = wrong_keys(expected, rows)
            if not wrong or time.monotonic() > deadline:
                return wrong
            await asyncio.sleep(0.3)

    # The play ------------------------------------------------------------------------------------------------------

    def _worker(self, name: str) -> Worker:
        worker = Worker(self._folder, name, self._kafka, self._prefix)
        self._workers.append(worker)
        worker.start()
        return worker

    async def _play(self, load: Load) -> None:
        plan = self.plan
        await load.write_history()
        await load.write_early()
        first = self._worker("a")
        late = [asyncio.create_task(self._late(load, 0, first))]
        await asyncio.sleep(plan.join_after_seconds)
        second = self._worker("b")
        late.append(asyncio.create_task(self._late(load, 1, second)))
        if plan.scenario != "stutter":
            await second.joined()
        await asyncio.sleep(plan.act_after_seconds)
        await self._act(first, second)
        await asyncio.gather(*late)

    async def _late(self, load: Load, half: int, worker: Worker) -> None:
        await worker.joined()
        await asyncio.sleep(self.plan.late_after_seconds[half])
        await load.write_late(half)

    async def _act(self, first: Worker, second: Worker) -> None:
        match self.plan.scenario:
            case "end-a":
                first.end(signal.SIGTERM)
            case "end-b":
                second.end(signal.SIGTERM)
            case "kill-a":
                first.end(signal.SIGKILL)
            case "kill-b":
                second.end(signal.SIGKILL)
            case "churn":
                second.end(signal.SIGTERM)
                third, fourth = self._worker("c"), self._worker("d")
                await third.joined()
                await fourth.joined()
                first.end(signal.SIGTERM)
            case "bounce-a":  # a deployment: it ends, and its successor starts at once in the same folder
                first.end(signal.SIGTERM)
                await first.gone()
                first.start()
            case "freeze-a":  # its session expires without its knowledge
                first.send(signal.SIGSTOP)
                await asyncio.sleep(FREEZE_SECONDS)
                first.send(signal.SIGCONT)
            case "stutter":  # a machine with far too much to do: sessions expire here and there
                draw = random.Random(self.plan.seed)
                for _ in range(4):
                    worker = draw.choice((first, second))
                    worker.send(signal.SIGSTOP)
                    await asyncio.sleep(draw.uniform(1, FREEZE_SECONDS))
                    worker.send(signal.SIGCONT)
                    await asyncio.sleep(draw.uniform(0, 3))
            case _:
                pass
