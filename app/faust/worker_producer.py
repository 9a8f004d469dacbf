"""A worker's way into Kafka: a service of the worker, and a fence for one that may have lost its partitions."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from mode import Service

from app.faust.session_fence import SessionFence
from app.kafka.batch_producer import BatchProducer, WrongPartitions
from app.kafka.pending_batches import PendingBatch, Written
from app.kafka.topics import TopicSpec
from app.log_level import toggle_on_signal
from app.pulse import Pulse
from app.settings import Settings
from app.stacks import dump_on_signal
from app.tracing import Tracing
from domain.errors import LogUnavailable


class ProducingApp(Protocol):
    """The parts of a ``StreamApp`` that its producer's service uses."""

    settings: Settings
    pulse: Pulse
    batch_producer: BatchProducer
    tracing: Tracing | None

    def required_topics(self) -> list[TopicSpec]: ...

    def abort(self, what: str, error: BaseException) -> None: ...


class BatchProducerService(Service):  # type: ignore[misc]
    """First up and last down, because agents and tables write through it."""

    def __init__(self, app: ProducingApp, **kwargs: Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        dump_on_signal()
        toggle_on_signal(self.loop, self.app.settings.log_level)
        self.app.pulse.watch("the main thread", self.loop)
        try:
            await self.app.batch_producer.start()
            for spec in self.app.required_topics():
                await self._check(spec)
        except (LogUnavailable, WrongPartitions) as error:
            self.app.abort("the start", error)

    async def _check(self, spec: TopicSpec) -> None:
        found = await self.app.batch_producer.partitions(spec.name)
        if found != spec.partitions:
            raise WrongPartitions(spec.name, found, spec.partitions)

    async def on_stop(self) -> None:
        await self.app.batch_producer.stop()
        if self.app.tracing is not None:
            await asyncio.to_thread(self.app.tracing.close)


class WorkerBatchProducer(BatchProducer):
    """A batch producer that sends nothing once the worker's partitions may have another owner."""

    def __init__(self, fence: SessionFence, bootstrap: str, **options: Any) -> None:
        self._session_fence = fence
        super().__init__(bootstrap, **options)

    async def _transmit(self, write: PendingBatch, topic: str, partition: int) -> Written:
        self._session_fence.check()
        return await super()._transmit(write, topic, partition)
