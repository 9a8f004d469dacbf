"""Our consumer on a broker made of dictionaries: real app, real books, real loop, no thread and no socket."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from app.faust.batches import RecordBatch
from app.faust.consumer import BatchConsumer
from app.faust.stream_app import StreamApp
from app.kafka.topics import TopicSpec
from app.settings import Settings

TOPIC = "input"
TPS = tuple(TP(TOPIC, partition) for partition in range(2))


class PaperBroker:
    """Stands where the consumer's thread is. ``log``: tp → offsets that hold a record, ascending; holes are allowed."""

    def __init__(self) -> None:
        self.log: dict[TP, list[int]] = {tp: [] for tp in TPS}
        self.first = dict.fromkeys(TPS, 0)
        self.end = dict.fromkeys(TPS, 0)
        self.committed: dict[TP, int] = {}
        self.commit_requests: list[dict[TP, int]] = []
        self.assigned = set(TPS)
        self.refuses_commits = False
        self.is_let_go = False
        self.during_commit: Any = None  # awaited while a commit is on its way
        self._position = dict.fromkeys(TPS, 0)
        self.consumer: Any = None

    def append(self, tp: TP, *, hole: int = 0) -> None:
        """Write a record after ``hole`` offsets that hold none."""
        offset = self.end[tp] + hole
        self.log[tp].append(offset)
        self.end[tp] = offset + 1

    def truncate(self, tp: TP, first: int) -> None:
        """Retention: nothing before ``first`` is left."""
        self.first[tp] = first
        self.log[tp] = [offset for offset in self.log[tp] if offset >= first]

    # what BatchConsumer asks of its thread

    def assignment(self) -> set[TP]:
        return set(self.assigned)

    def highwater(self, tp: TP) -> int:
        return self.end[tp]

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.commit_requests.append(dict(offsets))
        if self.during_commit is not None:
            await self.during_commit()
        if not self.refuses_commits:
            self.committed.update(offsets)
        return not self.refuses_commits

    async def seek_to_committed(self) -> dict[TP, int | None]:
        for tp in self.assigned:
            if self.committed.get(tp, 0) > 0:
                self._position[tp] = self.committed[tp]
        return {tp: self.committed.get(tp) for tp in self.assigned}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            self._position[tp] = offset
            if offset > 0:
                self.consumer._read_offset[tp] = offset
            else:
                self.consumer._read_offset.pop(tp, None)

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        return {tp: self.first[tp] for tp in tps}

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        return {tp: self.end[tp] for tp in tps}

    async def getmany(self, active_partitions: Container[TP], timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109
        return {tp: records for tp in TPS if tp in active_partitions and (records := self.fetch(tp, 3))}

    def fetch(self, tp: TP, most: int) -> list[Any]:
        """Hand out records and move the position behind them, as aiokafka does, whatever becomes of them."""
        if not self.first[tp] <= self._position[tp] <= self.end[tp]:
            self._position[tp] = self.first[tp]  # auto.offset.reset=earliest
        offsets = [offset for offset in self.log[tp] if offset >= self._position[tp]][:most]
        if offsets:
            self._position[tp] = offsets[-1] + 1
        return [SimpleNamespace(offset=o, timestamp=0, timestamp_type=0, value=b"", key=b"") for o in offsets]


class PaperApp(StreamApp):
    """An app without agents. ``drained`` says what happens when it has to finish its work."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._has_begun = True  # so the objects of the process that runs the tests are not frozen

    def register_agents(self) -> None:
        pass

    def required_topics(self) -> list[TopicSpec]:
        return []


Paper = tuple[BatchConsumer, PaperBroker, list[RecordBatch]]


def make_consumer(folder: Path) -> Paper:
    """Return a consumer after its first assignment and seek, its broker, and the list that deliveries come to."""
    app = PaperApp(Settings(role="rounds", store="memory", data_dir=str(folder)))
    delivered: list[RecordBatch] = []

    async def take(message: SimpleNamespace) -> None:
        delivered.append(message.value)

    consumer: Any = app.transport.create_consumer(
        callback=take, on_partitions_revoked=app._on_partitions_revoked, on_partitions_assigned=None
    )
    broker = PaperBroker()
    broker.consumer, consumer._thread, app._consumer = consumer, broker, consumer
    return consumer, broker, delivered


async def assign(consumer: BatchConsumer) -> None:
    """What Faust does from the assignment of partitions to the end of the recovery."""
    consumer._set_active_tps(consumer.assignment())
    consumer.pause_partitions(consumer.assignment())
    consumer.resume_partitions(consumer.assignment())
    await consumer.perform_seek()
    consumer.app.flow_control.resume()
    consumer.resume_flow()


async def revoke(consumer: BatchConsumer) -> None:
    """What Faust does when a rebalance begins."""
    await consumer.on_partitions_revoked(consumer.assignment())


async def rebalance(consumer: BatchConsumer) -> None:
    await revoke(consumer)
    await assign(consumer)


async def fetch(consumer: BatchConsumer) -> None:
    """One turn of the loop."""
    fetched, _ = await consumer._wait_next_records(0.01)
    if fetched and consumer.flow_active:
        await consumer._deliver(fetched)
