"""Tells the channel that a participant read a person's message, or answers it; its connector may tell the person."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.topics import Topics
from domain.errors import LogUnavailable
from domain.inbound import ReadMarked
from domain.recipients import CHANNELS
from domain.records import MessageAccepted
from web.admin.record_log import RecordLog

log = logging.getLogger(__name__)

MAX_UNDER_WAY = 1_000


class ReadMarks:
    """Writes ``ReadMarked`` records in the background. It is a courtesy: one that Kafka does not take is lost."""

    def __init__(self, record_log: RecordLog, topics: Topics, partitions: int) -> None:
        self._log = record_log
        self._topics = topics
        self._partitions = partitions
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, message: MessageAccepted, at_ms: int, *, is_typing: bool = False) -> None:
        """Report that ``message``, of a person, was read at ``at_ms``, and whether the reader is writing an answer.

        Returns immediately.
        """
        channel = message.sender_id.partition(":")[0]
        if channel not in CHANNELS or not message.provider_id or len(self._tasks) >= MAX_UNDER_WAY:
            return
        mark = ReadMarked(message.account, message.provider_id, at_ms, is_typing)
        task = asyncio.get_running_loop().create_task(self._write(channel, mark))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, channel: str, mark: ReadMarked) -> None:
        key = mark.account.encode()
        try:
            await self._log.write(
                self._topics.inbound(channel), partition_for(key, self._partitions), key, encode(mark)
            )
        except LogUnavailable as error:
            log.warning("account %s is not told that a message was read: %s", mark.account, error)


READ_MARKS = web.AppKey("read_marks", ReadMarks)
