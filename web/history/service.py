"""The history of messages as one view. The other rooms read messages, states and the latest activity only here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from aiohttp import web

from domain.errors import NotFound, Unavailable
from domain.ids import is_uuid
from domain.ports import LogPosition, MessageLog, MessageReader, StoredMessage
from domain.records import MessageAccepted, StatusChanged
from domain.status import State
from web.history.best_effort_reader import BestEffortReader
from web.history.doubts import Doubts
from web.history.merge import merged
from web.history.mirrored import Mirrored
from web.history.paging import Page, PageReader, PageRequest
from web.history.reactions import ReactionReader, Reactions
from web.history.recent import RecentMessages
from web.history.tailer_port import Tailer

LIST_SECONDS = 1.0
FIND_SECONDS = 1.5


class LookUp(NamedTuple):
    """``is_certain``: if ``message`` is ``None``, no process has accepted the message before the look-up."""

    message: StoredMessage | None
    is_certain: bool


class MessageHistory:
    """Cassandra (complete, but behind), the recent messages in memory, and the log up to its end.

    ``recent`` is the memory that ``tailer`` fills from the log. Memory is only ever ahead of Cassandra, except for
    evicted messages that the mirror has yet to write: reads that may miss one raise ``Unavailable``.
    """

    def __init__(
        self,
        *,
        log: MessageLog,
        reader: MessageReader,
        recent: RecentMessages,
        tailer: Tailer,
        partitions: int,
        clock_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._best_effort = BestEffortReader(reader)
        self._recent = recent
        self._tailer = tailer
        self._mirrored = Mirrored(recent.gaps, partitions, tailer.mirrored, monotonic)
        self._doubts = Doubts(log, clock_ms, monotonic)
        self._pages = PageReader(reader, recent, self._mirrored)
        self._reactions = ReactionReader(reader, recent.reactions)

    async def watch(self) -> None:
        """Close gaps as the mirror advances. Runs until cancelled."""
        await self._mirrored.watch()

    # the end of the log

    async def catch_up(self, timeout_seconds: float) -> bool:
        """Return ``True`` once every message acknowledged before the call is known, ``False`` if the time is over."""
        return await self._tailer.catch_up(timeout_seconds)

    async def require_latest(self) -> None:
        """Wait for all messages acknowledged before this request, by any process. Raises ``Unavailable``.

        Without Kafka, a process that has caught up once misses nothing up to the loss of the connection.
        """
        if not await self._tailer.catch_up(LIST_SECONDS) and not self._tailer.has_caught_up:
            raise Unavailable("the latest messages cannot be read yet; retry")

    # messages with their states

    async def page(
        self, conversation_id: str, *, after: LogPosition | None, offset: int, limit: int, descending: bool
    ) -> Page:
        """Return up to ``limit`` messages strictly after ``after`` (before it when ``descending``), without the first
        ``offset`` of them. Raises ``Unavailable`` if some of them cannot be read yet.
        """
        await self.require_latest()
        return await self._pages.page(PageRequest(conversation_id, after, offset, limit, descending))

    async def find(self, message_id: str) -> StoredMessage:
        """Return a message, looked up in the order of cost: memory, Cassandra, then the log up to its end.

        Raises ``NotFound`` only if the message does not exist, or for an impossible id; ``Unavailable`` while a view
        with the message cannot be read.
        """
        if not is_uuid(message_id):
            raise no_such_message()
        recent = self._recent.get(message_id)
        if recent is not None and recent.message is not None and recent.complete:
            return StoredMessage(recent.message, recent.position, recent.state)
        stored, away = None, None
        # check before Cassandra is read: the mirror may write a record after the read and close the gap
        is_hidden = await self._mirrored.may_hide(message_id)
        try:
            stored = await self._reader.get(message_id)
        except Unavailable as error:
            away = error
        found = merged(stored, self._recent.get(message_id))
        if found is None:
            return await self._find_in_log(message_id, away, is_hidden=is_hidden)
        gap = await self._mirrored.gap(found.message.conversation_id)
        if gap is not None and gap.touches(found.position.offset, found.position.offset + 1):
            raise Unavailable("the message's status is not in the history yet; retry")
        return found

    async def _find_in_log(self, message_id: str, away: Unavailable | None, *, is_hidden: bool) -> StoredMessage:
        """Return a message accepted just now by another process. ``away``: the error of Cassandra."""
        caught_up = await self._tailer.catch_up(FIND_SECONDS)
        found = self.known(message_id)
        if found is not None:
            return found
        if away is not None:
            raise away
        if not caught_up:
            self._doubts.log_was_unavailable()
            raise Unavailable("not found, but the latest messages cannot be read right now; retry")
        if is_hidden or await self._mirrored.may_hide(message_id):
            raise Unavailable("not found, but the message may not be in the history yet; retry")
        if self._doubts.may_come(message_id):
            raise Unavailable("not found, but the message may still be on its way to the log; retry")
        raise no_such_message()

    async def with_latest_facts(self, found: StoredMessage) -> StoredMessage:
        """Return the message with all facts reported before the call by any process, as far as they can be read in
        ``FIND_SECONDS``.
        """
        await self._tailer.catch_up_with_facts(FIND_SECONDS)
        return merged(found, self._recent.get(found.message.message_id)) or found

    async def reactions(self, conversation_id: str, message_ids: Sequence[str]) -> Reactions:
        """Return the reactions to each of these messages of a conversation that has some, in their order."""
        return await self._reactions.of(conversation_id, message_ids)

    async def look_up(self, message_id: str, timeout_seconds: float) -> LookUp:
        """Look for a message accepted earlier. It does not fail: while Cassandra is unavailable, a message neither in
        memory nor evicted from it counts as not accepted.
        """
        found = self.known(message_id)
        if found is not None:
            return LookUp(found, True)
        is_hidden = await self._mirrored.may_hold(message_id)
        stored, is_up_to_date = await asyncio.gather(
            self._best_effort.get(message_id), self._tailer.catch_up(timeout_seconds)
        )
        found = merged(stored, self._recent.get(message_id))
        is_hidden = is_hidden or await self._mirrored.may_hold(message_id)
        return LookUp(found, found is not None or (is_up_to_date and not is_hidden))

    # what this process knows without asking

    def known(self, message_id: str) -> StoredMessage | None:
        """Return the message if it is in memory."""
        return merged(None, self._recent.get(message_id))

    def known_state(self, message_id: str) -> State | None:
        """Return the state in memory of a message; it may be in memory without the message."""
        recent = self._recent.get(message_id)
        return None if recent is None else recent.state

    def is_first(self, message_id: str, position: LogPosition) -> bool:
        """Return whether the record at ``position`` is the message and not its repetition, as far as this process
        knows.
        """
        return self._recent.is_first(message_id, position)

    def latest(self, conversation_id: str, after: LogPosition | None) -> tuple[int, LogPosition | None]:
        """Return how many messages in memory come after ``after``, and the position of the conversation's last one."""
        return self._recent.tail(conversation_id, after)

    async def require_all_messages(self, conversation_ids: Iterable[str]) -> None:
        """Raise ``Unavailable`` if messages of one of the conversations are in neither view."""
        await self._mirrored.require_all_messages(conversation_ids)

    # this process's own records, before the log returns them

    def add_message(self, message: MessageAccepted, position: LogPosition, partition: int) -> None:
        """Add a message that the log has acknowledged at ``position``."""
        self._recent.add_message(message, position, partition)

    def add_fact(self, change: StatusChanged) -> None:
        """Add a fact that the log has acknowledged. Raises ``ValueError`` for an unknown status."""
        self._recent.add_fact(change)


def no_such_message() -> NotFound:
    """Return the error for a missing message, and for one not visible to the caller."""
    return NotFound("there is no such message")


HISTORY = web.AppKey("history", MessageHistory)
