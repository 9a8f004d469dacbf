"""The end offsets of the log: concurrent callers share one request to Kafka."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from web.circuit import CircuitBreaker
from web.history.starting_points import REQUEST_TIMEOUT_MS

log = logging.getLogger(__name__)

# the time-out while the circuit is open: after a failure no caller waits the full time
_OPEN_SECONDS = 0.1
# longer than the client's own time-out of a request, after which it replaces a connection that does not answer
_LONGEST_SECONDS = 2 * REQUEST_TIMEOUT_MS / 1000

Ends = dict[TopicPartition, int]


class EndOffsets:
    """End offsets of ``partitions``. ``consumer`` is set while Kafka is connected; it must not be fetching.

    A broker answers the requests of one connection in turn, and holds a fetch for ``fetch_wait_ms``: on the tailer's
    own connections this request would wait for so long. A request outlives the callers that lose patience: its answer
    closes the circuit again, and its time-out renews the connection.
    """

    def __init__(self, partitions: list[TopicPartition]) -> None:
        self.consumer: Any = None
        self._partitions = partitions
        self._asking: asyncio.Task[Ends | None] | None = None
        self._waiting: asyncio.Task[Ends | None] | None = None  # begins when ``_asking`` has ended
        self._circuit = CircuitBreaker()

    async def now(self, timeout_seconds: float, *, is_patient: bool = False) -> Ends | None:
        """Return end offsets measured after the call began, ``None`` if Kafka does not answer in time.

        ``is_patient``: wait for the whole time also after a question without an answer; for a caller that asks how
        Kafka is, and holds nobody up.
        """
        is_open = self._circuit.is_open
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._ask_after(self._asking), name="end-offsets")
        question = self._waiting
        is_short = is_open and not is_patient
        await asyncio.wait([question], timeout=min(_OPEN_SECONDS, timeout_seconds) if is_short else timeout_seconds)
        if question.done():
            return None if question.cancelled() else question.result()
        if not is_open:  # the short time of an open circuit proves nothing
            log.warning("Kafka does not return the end offsets of its topics")
            self._circuit.record(succeeded=False)
        return None

    def disconnect(self) -> None:
        """Forget the consumer; callers that wait for its answer get ``None``."""
        self.consumer = None
        for task in (self._asking, self._waiting):
            if task is not None:
                task.cancel()
        self._asking = self._waiting = None

    async def _ask_after(self, earlier: asyncio.Task[Ends | None] | None) -> Ends | None:
        if earlier is not None:
            await asyncio.wait([earlier])
        self._asking, self._waiting = self._waiting, None
        ends = await self._asked()
        self._circuit.record(succeeded=ends is not None)
        return ends

    async def _asked(self) -> Ends | None:
        if self.consumer is None:
            return None
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                return dict(await self.consumer.end_offsets(self._partitions))
        # aiokafka raises a KeyError where two requests on one connection time out together
        except (KafkaError, KeyError, OSError, TimeoutError) as error:
            log.warning("no end offsets from Kafka: %r", error)
            return None
