"""Writes the records of a topic to Cassandra as they are, many at once, until it works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from domain.errors import InvalidInput, StoreUnavailable

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0

T = TypeVar("T")


class SideMirror(Generic[T]):
    """``read`` decodes a record; ``write`` stores some, and may be called again with the same ones.

    A record that cannot be read or stored is logged, counted and passed over: nothing but a view misses it.
    """

    def __init__(
        self,
        app: StreamApp,
        agent: str,
        read: Callable[[bytes | None], T],
        write: Callable[[Sequence[T]], Awaitable[None]],
    ) -> None:
        self._app = app
        self._agent = agent
        self._read = read
        self._write = write

    async def store(self, batches: Sequence[RecordBatch]) -> None:
        """Store the records of ``batches``, and complete those that are still this worker's."""
        records: list[T] = []
        for batch in batches:
            for record in batch.records:
                try:
                    records.append(self._read(record.value))
                except InvalidInput as error:
                    self._pass_over(batch, f"offset {record.offset}: {error}")
        await self._write_all(batches, records)
        for batch in batches:
            if self._app.consumer.is_current(batch):  # else it comes again
                self._app.consumer.complete(batch)
                self._app.metrics.completed(self._agent, batch.records)

    async def _write_all(self, batches: Sequence[RecordBatch], records: Sequence[T]) -> None:
        """Return once the records are stored, or none of the batches is this worker's any more."""
        backoff = FIRST_BACKOFF_SECONDS
        while records and any(map(self._app.consumer.is_current, batches)):
            try:
                await self._write(records)
                break
            except StoreUnavailable as error:
                log.info("Cassandra does not answer %s, will try until it does: %s", self._agent, error)
                await asyncio.sleep(backoff)
                backoff = min(LONGEST_BACKOFF_SECONDS, backoff * 2)
            except Exception as error:  # noqa: BLE001  Cassandra refuses one of them
                if len(records) == 1:
                    self._pass_over(batches[0], repr(error))
                    break
                middle = len(records) // 2
                await self._write_all(batches, records[:middle])
                await self._write_all(batches, records[middle:])
                break

    def _pass_over(self, batch: RecordBatch, why: str) -> None:
        log.warning("not mirrored: %s[%d]: %s", batch.tp.topic, batch.partition, why)
        self._app.metrics.passed_over(batch.tp.topic)
