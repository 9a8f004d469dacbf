"""Hand log records to the connections of their participants, in the order of each partition.

While no client is connected, a record only moves a position. If the participants are cached, its event is sent
immediately; otherwise the store is asked, and the partition waits for the answer. If the store is unavailable, only
this conversation's events are parked until it answers. Until then the cursors of all frames stay before them, so a
resuming client misses nothing (and may get later events twice).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from domain.conversations import is_address
from domain.direct import is_direct
from domain.errors import Unavailable
from domain.files import File
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import Status
from web.conversations.participants import Participants
from web.conversations.usernames import Usernames
from web.history.published_state import PublishedState
from web.live.connection import Connection
from web.live.frames import TRY_AGAIN, Event, event_frame, message_event, status_event
from web.live.parked import ParkedEvents
from web.live.positions import Positions

log = logging.getLogger(__name__)

MAX_WAITING = 20_000
MAX_WAITING_BYTES = 32 * 1024 * 1024
RETRY_SECONDS = 1.0
_LATE_AT_A_TIME = 100  # parked frames handed over before other tasks run

# called after a frame with the message was written to a connection of this user
OnDelivered = Callable[[MessageAccepted, LogPosition, str], None]
# called with the file of a person's message
OnFile = Callable[[File], None]
OnWritten = Callable[[str, str, int], None]  # conversation, its member who wrote, and when (epoch ms)
# called with the number of frames written for an event, and the event's time
OnPushed = Callable[[int, int], None]


@dataclass(slots=True)
class _PartitionQueue:
    """Records of one partition number waiting for a look-up; ``(log_index, offset)``: a position without an event."""

    waiting: deque[Event | tuple[int, int]] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Hub:
    """``positions``: all records before them have been handed over (or parked; see ``cursor``)."""

    def __init__(
        self,
        participants: Participants,
        usernames: Usernames,
        partitions: int,
        *,
        on_pushed: OnPushed,
        on_delivered: OnDelivered,
        on_file: OnFile | None = None,
        on_written: OnWritten | None = None,
    ) -> None:
        self._on_file = on_file
        self._on_written = on_written
        self._participants = participants
        self._usernames = usernames
        self._partitions = partitions
        self._on_pushed = on_pushed
        self._on_delivered = on_delivered
        self._by_user: dict[str, list[Connection]] = {}
        self._queues = [_PartitionQueue() for _ in range(partitions)]
        self._parked = ParkedEvents()
        self._retrying: asyncio.Task[None] | None = None
        self._waiting = 0
        self._waiting_bytes = 0
        self.positions = Positions([0] * (2 * partitions))
        self._read = [0] * (2 * partitions)  # how far the tailer is, also where records wait for a look-up
        self.count = 0
        self.is_ready = False  # the positions are unknown until the tailer has started

    # called by the tailer

    def on_message(self, partition: int, offset: int, message: MessageAccepted, position: LogPosition) -> None:
        """Handle a record of ``messages``."""
        if self._on_written is not None and not message.is_inbound:
            self._on_written(message.conversation_id, message.sender_id, position.accepted_at_ms)
        if is_address(message.recipient_id):
            self._participants.wrote_to(message.conversation_id, message.recipient_id)
        if message.members:
            self._participants.announce(message.conversation_id, message.members, position.accepted_at_ms)
        elif is_direct(message.conversation_id):
            sides = (message.sender_id, message.recipient_id)
            self._participants.announce_direct(message.conversation_id, *sides, position.accepted_at_ms)
        if (
            message.is_inbound
            and message.file is not None
            and message.file_id is not None
            and self._on_file is not None
        ):
            at_ms = position.accepted_at_ms
            self._on_file(File(message.file_id, message.conversation_id, message.sender_id, message.file, at_ms))
        if self.count:
            self._take(message_event(partition, offset, message, position))

    def wants(self, conversation_id: str) -> bool:
        """Return whether a participant of the conversation is connected, or may be: they are not known yet."""
        users = self._participants.known(conversation_id) if self.count else ()
        return users is None or any(user in self._by_user for user in users)

    def on_unread(self, status: Status, accepted_at_ms: int, logged_at_ms: int) -> None:
        """Do nothing: nobody here is concerned."""

    def on_status(
        self, partition: int, offset: int, change: StatusChanged, published: PublishedState, logged_at_ms: int
    ) -> None:
        """Handle a record of ``status-updates`` if it changed the published state of its message."""
        if self.count:
            self._take(status_event(self._partitions + partition, offset, change, published, logged_at_ms))

    def reached(self, log_index: int, offset: int) -> None:
        """Note that all records of the partition before ``offset`` have been read."""
        self.is_ready = True
        self._read[log_index] = offset
        queue = self._queues[log_index % self._partitions]
        if queue.waiting:
            last = queue.waiting[-1]
            if not isinstance(last, Event) and last[0] == log_index:
                queue.waiting.pop()  # a queue that waits long has one mark for each partition between two records
            queue.waiting.append((log_index, offset))
        elif self.positions[log_index] < offset:
            self.positions[log_index] = offset

    # called for connections

    def cursor(self) -> Positions:
        """Return the positions before the first outstanding event of each partition."""
        if not self._parked:
            return self.positions
        floor = self.positions.copy()
        for log_index, offset in self._parked.first_offsets():
            if offset < floor[log_index]:
                floor[log_index] = offset
        return floor

    def join(self, connection: Connection) -> None:
        """Send live frames of the records read from now on: earlier ones may be gone, if nobody wanted them."""
        connection.start = Positions(map(max, self.positions.offsets, self._read))
        self._by_user.setdefault(connection.user_id, []).append(connection)
        self.count += 1

    def leave(self, connection: Connection) -> None:
        """Send no more frames to the connection. It need not have joined."""
        siblings = self._by_user.get(connection.user_id, [])
        if connection in siblings:
            siblings.remove(connection)
            self.count -= 1
        if not siblings:
            self._by_user.pop(connection.user_id, None)

    def connections(self) -> list[Connection]:
        """Return all joined connections."""
        return [connection for siblings in self._by_user.values() for connection in siblings]

    def stop(self) -> None:
        """Cancel the hub's tasks."""
        for task in [self._retrying, *(queue.task for queue in self._queues)]:
            if task is not None:
                task.cancel()

    # internals

    def _take(self, event: Event) -> None:
        queue = self._queues[event.log_index % self._partitions]
        if not queue.waiting and event.conversation_id not in self._parked:
            users = self._participants.known(event.conversation_id)
            if users is not None and (event.message is None or self._usernames.is_ready(event.message.sender_id)):
                self._hand_over(event, users)
                return
        self._waiting += 1
        self._waiting_bytes += event.held_bytes
        queue.waiting.append(event)
        if self._waiting > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self._give_up()
        elif queue.task is None:
            self._start(queue)

    def _start(self, queue: _PartitionQueue) -> None:
        queue.task = asyncio.create_task(self._work(queue))
        queue.task.add_done_callback(partial(self._worked, queue))

    async def _work(self, queue: _PartitionQueue) -> None:
        """Hand over the waiting events of a queue, one after the other."""
        while queue.waiting:
            item = queue.waiting[0]
            if isinstance(item, Event) and self.count and item.conversation_id not in self._parked:
                try:
                    users = await self._participants.of(item.conversation_id)
                    if item.message is not None:
                        await self._usernames.names_of([item.message.sender_id])
                except Unavailable as error:
                    log.warning("live frames of a conversation are parked until the store answers: %s", error)
                    users = None
            else:
                users = None
            if not queue.waiting or queue.waiting[0] is not item:
                continue  # the queue was cleared meanwhile
            queue.waiting.popleft()
            if not isinstance(item, Event):
                log_index, offset = item
                self.positions[log_index] = max(offset, self.positions[log_index])
                continue
            if users is not None:
                self._waits_no_more(item)
                self._hand_over(item, users)
            elif self.count:
                self._park(item)
            else:
                self._waits_no_more(item)
                self.positions[item.log_index] = item.offset + 1

    def _waits_no_more(self, event: Event) -> None:
        self._waiting -= 1
        self._waiting_bytes -= event.held_bytes

    def _worked(self, queue: _PartitionQueue, task: asyncio.Task[None]) -> None:
        queue.task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("live frames could not be handed over", exc_info=error)
            self._give_up()
        elif queue.waiting and not task.cancelled():
            self._start(queue)

    def _park(self, event: Event) -> None:
        self._parked.add(event)
        self.positions[event.log_index] = event.offset + 1
        if self._retrying is None:
            self._retrying = asyncio.create_task(self._retry())

    async def _retry(self) -> None:
        while self._parked:
            await asyncio.sleep(RETRY_SECONDS)
            for conversation_id in self._parked.conversations():
                try:
                    users = await self._participants.of(conversation_id)
                except Unavailable:
                    break
                await self._hand_over_late(conversation_id, users)
            if not self.count:
                for event in self._parked.clear():
                    self._waits_no_more(event)
        self._retrying = None

    async def _hand_over_late(self, conversation_id: str, users: Sequence[str]) -> None:
        """Hand over the parked events of a conversation one by one: no frame's cursor may be past the next event."""
        handed = 0
        while (event := self._parked.pop(conversation_id)) is not None:
            self._waits_no_more(event)
            self._hand_over(event, users, is_late=True)
            handed += 1
            if handed % _LATE_AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _hand_over(self, event: Event, users: Sequence[str], *, is_late: bool = False) -> None:
        if not is_late:
            self.positions[event.log_index] = event.offset + 1
        frame, pushed = None, 0
        for user in users:
            siblings = self._by_user.get(user)
            if not siblings:
                continue
            if frame is None:
                frame = event_frame(event, self.cursor().text(), self._usernames)
            written = sum([connection.put(event, frame) for connection in tuple(siblings)])
            pushed += written
            if written and event.message is not None:
                self._on_delivered(event.message, LogPosition(event.logged_at_ms, event.offset), user)
        if pushed:
            self._on_pushed(pushed, event.logged_at_ms)

    def _give_up(self) -> None:
        """Close all connections because too many events wait; the clients resume from their cursors."""
        log.error("%d live frames wait for the store: closing all connections", self._waiting)
        for queue in self._queues:
            for item in queue.waiting:
                log_index, offset = (item.log_index, item.offset + 1) if isinstance(item, Event) else item
                self.positions[log_index] = max(offset, self.positions[log_index])
            queue.waiting.clear()
        self._parked.clear()
        self._waiting = self._waiting_bytes = 0
        for connection in self.connections():
            connection.close(TRY_AGAIN, "the store does not answer; connect again with since")
