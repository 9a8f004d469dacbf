"""Sends many writes in few requests: a request costs the client as much as ten rows in it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cassandra.query import BatchStatement, BatchType

from storage.cassandra.driver_session import Access, DriverSession
from storage.cassandra.errors import is_rejected
from storage.cassandra.session import CassandraSession

# A server refuses batches over 50 KiB (`batch_size_fail_threshold`), counting its own overhead.
MAX_BATCH_BYTES = 40_000
MAX_BATCH_STATEMENTS = 50
MAX_BATCHES_IN_FLIGHT = 16
_BYTES_A_VALUE = 24  # a cell's timestamp, lengths and flags, as the server counts them


@dataclass(slots=True)
class Write:
    """A bound statement with its size on the server."""

    bound: Any
    size_bytes: int


def sized(bound: Any, more_bytes: int = 0) -> Write:
    """Return a bound statement with its size. ``more_bytes``: of what the server counts besides the values."""
    values = sum(len(value) + _BYTES_A_VALUE for value in bound.values if isinstance(value, bytes))
    return Write(bound, values + more_bytes)


class BatchWriter:
    """Writes in unlogged batches; ``max_batches_in_flight`` of them at a time."""

    def __init__(
        self,
        session: CassandraSession,
        *,
        max_batches_in_flight: int = MAX_BATCHES_IN_FLIGHT,
        max_batch_statements: int = MAX_BATCH_STATEMENTS,
        max_batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        self._session = session
        self._bounds = (max_batch_statements, max_batch_bytes)
        self._slots = asyncio.Semaphore(max_batches_in_flight)

    async def send(self, driver: DriverSession, writes: Sequence[Write]) -> None:
        """Send all writes, in no order. Raises the first error, after all requests have ended."""
        batches = [batch for group in group_by_replicas(driver, writes) for batch in pack(group, *self._bounds)]
        failures: list[Exception] = []
        await asyncio.gather(*(self._send(driver, batch, failures) for batch in batches))
        if failures:
            raise failures[0]

    async def _send(self, driver: DriverSession, batch: list[Write], failures: list[Exception]) -> None:
        """Send one batch when its turn comes, unless another has failed by then."""
        async with self._slots:
            if failures:
                return
            try:
                await self._send_now(driver, batch)
            except Exception as error:  # noqa: BLE001 (raised by `send`, after all others have ended)
                failures.append(error)

    async def _send_now(self, driver: DriverSession, batch: list[Write]) -> None:
        if len(batch) == 1:
            await self._session.submit(driver, batch[0].bound, Access.WRITE)
            return
        request = BatchStatement(BatchType.UNLOGGED)
        for write in batch:
            request.add(write.bound)
        try:
            await self._session.submit(driver, request, Access.WRITE)
        except Exception as error:
            if not is_rejected(error):
                raise
            # a server with a lower threshold than the default: what fits not in one batch may fit in two
            middle = len(batch) // 2
            await self._send_now(driver, batch[:middle])
            await self._send_now(driver, batch[middle:])


def group_by_replicas(driver: DriverSession, writes: Sequence[Write]) -> list[list[Write]]:
    """Return ``writes`` grouped by their set of replicas, so that a replica coordinates each batch.

    A cluster with no more nodes than replicas has one group, and any rows may share a batch.
    """
    metadata = driver.cluster.metadata
    if len(metadata.all_hosts()) == 1:
        return [list(writes)]
    groups: defaultdict[Hashable, list[Write]] = defaultdict(list)
    for write in writes:
        groups[frozenset(metadata.get_replicas(driver.config.keyspace, write.bound.routing_key))].append(write)
    return list(groups.values())


def pack(writes: Sequence[Write], max_statements: int, max_bytes: int) -> Iterator[list[Write]]:
    """Yield ``writes`` in batches within both bounds; a write above a bound is a batch by itself."""
    batch: list[Write] = []
    size_bytes = 0
    for write in writes:
        if batch and (len(batch) >= max_statements or size_bytes + write.size_bytes > max_bytes):
            yield batch
            batch, size_bytes = [], 0
        batch.append(write)
        size_bytes += write.size_bytes
    if batch:
        yield batch
