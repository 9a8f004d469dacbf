"""Read messages from a store without waiting for its every time-out."""

from __future__ import annotations

import asyncio

from domain.errors import StoreUnavailable
from domain.ports import MessageReader, StoredMessage
from web.circuit import CircuitBreaker

AT_ONCE = 100


class BestEffortReader:
    """``MessageReader.get`` behind a circuit breaker, with at most ``AT_ONCE`` look-ups under way."""

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._circuit = CircuitBreaker()

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return the message, or ``None`` if it does not exist or the store does not answer."""
        async with self._slots:
            try:
                return await self._circuit.call(lambda: self._reader.get(message_id))
            except StoreUnavailable:
                return None
