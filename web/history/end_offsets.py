"""The end offsets of the log: concurrent callers share one request to Kafka."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from web.circuit import CircuitBreaker

log = logging.getLogger(__name__)

# the time-out while the circuit is open: after a failure no caller waits the full time
_OPEN_SECONDS = 0.1


class EndOffsets:
    """End offsets of ``partitions``. ``consumer`` is set while Kafka is connected; it must not be fetching.

    A broker answers the requests of one connection in turn, and holds a fetch for ``fetch_wait_ms``: on the tailer's
    own connections this request would wait for so long.
    """

    def __init__(self, partitions: list[TopicPartition]) -> None:
        self.consumer: Any = None
        self._partitions = partitions
        self._one_at_a_time = asyncio.Lock()
        self._begun = 0
        self._ends: dict[TopicPartition, int] | None = None
        self._circuit = CircuitBreaker()

    async def now(self, timeout_seconds: float) -> dict[TopicPartition, int] | None:
        """Return end offsets measured after the call began, ``None`` if Kafka does not answer in time."""
        ends = None
        try:
            async with asyncio.timeout(
                min(_OPEN_SECONDS, timeout_seconds) if self._circuit.is_open else timeout_seconds
            ):
                ends = await self._measured()
        except TimeoutError:
            if not self._circuit.is_open:
                log.warning("Kafka does not return the end offsets of its topics")
        self._circuit.record(succeeded=ends is not None)
        return ends

    async def _measured(self) -> dict[TopicPartition, int] | None:
        begun_before = self._begun
        async with self._one_at_a_time:
            if self._begun == begun_before:
                self._begun += 1
                self._ends = None
                if self.consumer is not None:
                    try:
                        self._ends = await self.consumer.end_offsets(self._partitions)
                    except KafkaError as error:
                        log.warning("no end offsets from Kafka: %r", error)
            return self._ends
