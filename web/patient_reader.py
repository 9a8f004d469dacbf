"""Looking messages up in a store that may be away, without everybody waiting for it."""

from __future__ import annotations

import asyncio

from domain.errors import StoreUnavailable
from domain.ports import MessageReader, StoredMessage

AT_ONCE = 100


class PatientReader:
    """``MessageReader.get`` for those who can do without the answer.

    Once a question has gone unanswered, only one at a time is asked until one is answered again: a store that says
    nothing would make each of them wait for its whole time-out.
    """

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader
        self._room = asyncio.Semaphore(AT_ONCE)
        self._is_away = False
        self._is_probing = False

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return the message, ``None`` if it is not there, or if the store does not tell."""
        async with self._room:
            if not self._is_away:
                return await self._ask(message_id)
            if self._is_probing:
                return None
            self._is_probing = True
            try:
                return await self._ask(message_id)
            finally:
                self._is_probing = False

    async def _ask(self, message_id: str) -> StoredMessage | None:
        try:
            found = await self._reader.get(message_id)
        except StoreUnavailable:
            self._is_away = True
            return None
        self._is_away = False
        return found
