"""Whether an answer may lack what the memory let go and the mirror has yet to write. Asked of Kafka when it matters."""

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
    """Costs nothing while the memory has let nothing go that the mirror lacked when it was asked last."""

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
        """Return what may be lacking of a conversation's partition, by what the mirror has written now."""
        if self.known_gap(conversation_id) is not None:
            await self._refresh()
        return self.known_gap(conversation_id)

    def known_gap(self, conversation_id: str) -> Gap | None:
        """As ``gap``, by what the mirror had written when it was asked last: never too little."""
        if not self._gaps.is_open:
            return None
        return self._gaps.of(partition_for(conversation_id.encode(), self._partitions))

    async def may_hide(self, message_id: str) -> bool:
        """Return whether a message may be lacking in both views, by what the mirror has written now."""
        if self._gaps.may_hide(message_id):
            await self._refresh()
        return self._gaps.may_hide(message_id)

    async def may_hold(self, message_id: str) -> bool:
        """As ``may_hide``, of the messages that were once in this process's memory."""
        if self._gaps.may_hold(message_id):
            await self._refresh()
        return self._gaps.may_hold(message_id)

    async def require_all_messages(self, conversation_ids: Iterable[str]) -> None:
        """Raises ``Unavailable`` if messages of one of the conversations may be lacking."""
        if not self._gaps.is_open:
            return
        await self._refresh()
        for one in conversation_ids:
            gap = self.known_gap(one)
            if gap is not None and gap.messages_end:
                raise Unavailable("some messages are not in the history yet, so they cannot be counted; try again")

    async def watch(self) -> None:
        """Ask now and then while something is lacking, so that what is known of it does not grow without need."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._gaps.is_open:
                await self._refresh()

    async def _refresh(self) -> None:
        """Ask, one question for all who wait; not if that was just done."""
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
            log.warning("how far the mirror is cannot be told: %r", error)
        finally:
            self._asked_at = self._monotonic()
            self._asking = None
