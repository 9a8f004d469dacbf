"""Whether a response may lack evicted records not mirrored yet. Kafka is asked for the mirror's offsets when it
matters.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from aiokafka.errors import KafkaError

from app.kafka.partitions import partition_for
from domain.errors import Unavailable
from web.history.gaps import Gap, Gaps

log = logging.getLogger(__name__)

ASK_SECONDS = 2.0
WATCH_SECONDS = 2.0
_FRESH_SECONDS = 0.25

# the offsets, by partition, that the mirror has committed of ``messages`` and of ``status-updates``
Offsets = tuple[Mapping[int, int], Mapping[int, int]]


class Mirrored:
    """Compares gaps with the mirror's offsets. Costs nothing while there is no gap."""

    def __init__(
        self,
        gaps: Gaps,
        partitions: int,
        ask: Callable[[], Awaitable[Offsets]],
        monotonic: Callable[[], float],
    ) -> None:
        self._gaps = gaps
        self._partitions = partitions
        self._ask = ask
        self._monotonic = monotonic
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def gap(self, conversation_id: str) -> Gap | None:
        """Return the gap of a conversation's partition, by the mirror's present offsets."""
        if self.known_gap(conversation_id) is not None:
            await self._refresh()
        return self.known_gap(conversation_id)

    def known_gap(self, conversation_id: str) -> Gap | None:
        """As ``gap``, by the mirror's last known offsets: never too small."""
        if not self._gaps.is_open:
            return None
        return self._gaps.of(partition_for(conversation_id.encode(), self._partitions))

    async def may_hide(self, message_id: str) -> bool:
        """Return whether a message may be missing in both views, by the mirror's present offsets."""
        if self._gaps.may_hide(message_id):
            await self._refresh()
        return self._gaps.may_hide(message_id)

    async def may_hold(self, message_id: str) -> bool:
        """As ``may_hide``, only of messages evicted from this process's memory."""
        if self._gaps.may_hold(message_id):
            await self._refresh()
        return self._gaps.may_hold(message_id)

    async def require_all_messages(self, conversation_ids: Iterable[str]) -> None:
        """Raise ``Unavailable`` if messages of one of the conversations may be missing."""
        if not self._gaps.is_open:
            return
        await self._refresh()
        for one in conversation_ids:
            gap = self.known_gap(one)
            if gap is not None and gap.messages_end:
                raise Unavailable("some messages are not in the history yet and cannot be counted; retry")

    async def watch(self) -> None:
        """Ask every ``WATCH_SECONDS`` while there are gaps, so they are dropped once mirrored."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._gaps.is_open:
                await self._refresh()

    async def _refresh(self) -> None:
        """Ask for the mirror's offsets, once for all concurrent callers; skip it within ``_FRESH_SECONDS`` of the
        last answer.
        """
        if self._asking is None:
            if self._monotonic() - self._asked_at < _FRESH_SECONDS:
                return
            self._asking = asyncio.create_task(self._ask_now())
        await asyncio.shield(self._asking)

    async def _ask_now(self) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                messages, facts = await self._ask()
            self._gaps.mirrored(messages, facts)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("the mirror's progress cannot be read: %r", error)
        finally:
            self._asked_at = self._monotonic()
            self._asking = None
