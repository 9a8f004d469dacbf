"""Send missed events to resuming connections, reading each range of the log once for many of them.

After an API process has gone, all its users reconnect within a second, each with a cursor. So the sessions are served
in slices of at most ``SLICE_RECORDS`` records, and a slice serves every session with a nearby cursor. A session with
a slow reader leaves the slice and continues later from its own position, so it delays no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from app.kafka.codec import decode
from domain.errors import LogUnavailable, MalformedRecord, Unavailable
from domain.fact_times import plausible
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from domain.status import UNKNOWN, SharedState, State, Status, absorb, knows
from web.conversations.participants import Participants
from web.conversations.usernames import Usernames
from web.history.facts import fact_from_change
from web.history.published_state import publication_key, published_state
from web.history.service import MessageHistory
from web.live.connection import Connection
from web.live.frames import Event, event_frame, message_event, status_event
from web.live.hub import OnDelivered
from web.live.log_reader import Entry, LogReader
from web.live.positions import Positions

log = logging.getLogger(__name__)

SLICE_RECORDS = 5_000
_MAX_LAST_PUBLISHED = 10_000
_MAX_STATES = 500  # of a message to 256 it may be 20 KiB


class TooOld(Exception):
    """The log no longer reaches back to the cursor, or the cursor is further back than a replay may read."""


@dataclass(eq=False, slots=True)
class ReplaySession:
    """A connection's replay from ``positions``, advanced as it is sent, up to ``target``.

    ``last_published``: the ``PublishedState.key`` of each message's last status frame in this replay. ``states``: the
    states computed by the replay for messages unknown to this process. ``is_full``: the connection's buffer is full,
    so the session pauses.
    """

    connection: Connection
    positions: Positions
    target: Positions
    last_published: dict[str, tuple[str, int]] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    is_full: bool = False
    done: asyncio.Future[None] | None = None

    @property
    def left(self) -> int:
        """How many records are still to be read."""
        return self.positions.behind(self.target)

    def wants(self, log_index: int, offset: int) -> bool:
        return not self.is_full and self.positions[log_index] <= offset < self.target[log_index]

    def give(self, event: Event, usernames: Usernames) -> bool:
        """Send the next event; return whether it was written. If the buffer has no room, the positions stay and the
        session pauses.
        """
        before = self.positions[event.log_index]
        self.positions[event.log_index] = event.offset + 1
        frame = event_frame(event, self.positions.text(), usernames)
        if not self.connection.has_room_for(frame):
            self.positions[event.log_index] = before
            self.is_full = True
            return False
        return self.connection.write(frame)


class Replayer:
    """Runs the replay sessions. ``open_log`` opens the log; it is open while there are sessions."""

    def __init__(
        self,
        open_log: Callable[[], AbstractAsyncContextManager[LogReader]],
        participants: Participants,
        usernames: Usernames,
        history: MessageHistory,
        partitions: int,
        on_delivered: OnDelivered,
    ) -> None:
        self._open_log = open_log
        self._participants = participants
        self._usernames = usernames
        self._history = history
        self._partitions = partitions
        self._on_delivered = on_delivered
        self._waiting: list[ReplaySession] = []
        self._task: asyncio.Task[None] | None = None

    async def advance(self, session: ReplaySession) -> None:
        """Return when the session has reached its target, or its buffer is full (``is_full``).

        Raises ``TooOld``, or ``Unavailable`` if the log or the participants cannot be read.
        """
        session.is_full = False
        session.done = asyncio.get_running_loop().create_future()
        self._waiting.append(session)
        if self._task is None:
            self._start()
        try:
            await session.done
        finally:
            if session in self._waiting:
                self._waiting.remove(session)

    def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._serve())
        self._task.add_done_callback(self._served)

    async def _serve(self) -> None:
        async with self._open_log() as log_reader:
            while self._waiting:
                await self._read_slice(log_reader)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._task = None
        error: BaseException | None = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            if self._waiting:  # sessions added while the log was being closed
                self._start()
            return
        if not isinstance(error, Unavailable | asyncio.CancelledError):
            log.error("a replay failed", exc_info=error)
        for session in self._waiting:
            _end(session, error if isinstance(error, Unavailable) else LogUnavailable("the replay did not end"))
        self._waiting.clear()

    async def _read_slice(self, log_reader: LogReader) -> None:
        """Read a slice from the position of the longest-waiting session, and move this session to the end of the
        queue.
        """
        group = list(self._waiting)
        leader = self._waiting.pop(0)
        self._waiting.append(leader)
        ranges = _ranges(group, leader)
        first = await log_reader.first_offsets(list(ranges))
        for session in group:
            if any(
                session.positions[log_index] < min(offset, session.target[log_index])
                for log_index, offset in first.items()
            ):
                self._end(session, TooOld("the log no longer reaches back to this cursor"))
        group = [session for session in group if session.done is not None and not session.done.done()]
        ranges = {log_index: (max(start, first[log_index]), stop) for log_index, (start, stop) in ranges.items()}
        by_user: dict[str, list[ReplaySession]] = {}
        for session in group:
            by_user.setdefault(session.connection.user_id, []).append(session)
        messages = {log_index: span for log_index, span in ranges.items() if log_index < self._partitions}
        # all messages of a slice before their statuses
        for part in (messages, {log_index: span for log_index, span in ranges.items() if log_index not in messages}):
            begun = {log_index: start for log_index, (start, _) in part.items()}
            async for entries in log_reader.read(part):
                await self._give_all(entries, by_user)
                log_index, after = entries[-1].log_index, entries[-1].offset + 1
                _passed(group, log_index, begun[log_index], after)
                begun[log_index] = after
        for session in group:
            if session.is_full or not session.left or not session.connection.is_open:
                self._end(session, None)

    def _end(self, session: ReplaySession, error: Exception | None) -> None:
        if session in self._waiting:
            self._waiting.remove(session)
        _end(session, error)

    async def _give_all(self, entries: list[Entry], by_user: Mapping[str, Sequence[ReplaySession]]) -> None:
        """Give each record to the sessions of its participants, except those past it."""
        records = [(entry, record) for entry in entries if (record := self._record(entry)) is not None]
        conversations = list({record.conversation_id for _, record in records})
        found = await asyncio.gather(*(self._participants.of(one) for one in conversations))
        users_of = dict(zip(conversations, found, strict=True))
        await self._usernames.names_of(record.sender_id for _, record in records if isinstance(record, MessageAccepted))
        for entry, record in records:
            for user in users_of[record.conversation_id]:
                for session in by_user.get(user, ()):
                    if session.wants(entry.log_index, entry.offset):
                        self._give(session, entry, record)

    def _record(self, entry: Entry) -> MessageAccepted | StatusChanged | None:
        try:
            if entry.log_index < self._partitions:
                return decode(entry.value, MessageAccepted)
            change = plausible(decode(entry.value, StatusChanged), entry.timestamp_ms)
            return change if change.status in Status.__members__ else None
        except (MalformedRecord, ValueError):
            return None  # the tailer has logged it

    def _give(self, session: ReplaySession, entry: Entry, record: MessageAccepted | StatusChanged) -> None:
        if isinstance(record, MessageAccepted):
            position = LogPosition(entry.timestamp_ms, entry.offset)
            if not self._history.is_first(record.message_id, position):
                return  # a repetition; only the first record is sent
            if session.give(message_event(entry.log_index, entry.offset, record, position), self._usernames):
                self._on_delivered(record, position, session.connection.user_id)
            return
        state = self._state(session, record)
        key = publication_key(state)
        # the states before the cursor are unknown, so each message's present status is sent once
        if key == (Status.ACCEPTED, 0) or session.last_published.get(record.message_id) == key:
            return
        event = status_event(entry.log_index, entry.offset, record, published_state(state), entry.timestamp_ms)
        if session.give(event, self._usernames):
            if len(session.last_published) >= _MAX_LAST_PUBLISHED:
                session.last_published.clear()
            session.last_published[record.message_id] = key

    def _state(self, session: ReplaySession, record: StatusChanged) -> State:
        """Return the state of a message including the fact in ``record``."""
        fact = fact_from_change(record)
        known = self._history.known_state(record.message_id)
        if known is not None and knows(known, fact):
            return known
        state = session.states.pop(record.message_id, None)
        if state is None:
            if len(session.states) >= _MAX_STATES:
                session.states.clear()
            state = UNKNOWN if known is None else known
            state = state.copy() if isinstance(state, SharedState) else state
        state = session.states[record.message_id] = absorb(state, fact)
        return state


def _ranges(group: Sequence[ReplaySession], leader: ReplaySession) -> dict[int, tuple[int, int]]:
    """Return the ranges of a slice: from the leader's positions, or shortly before them if other sessions are there."""
    ranges: dict[int, tuple[int, int]] = {}
    room = SLICE_RECORDS
    for log_index, own in enumerate(leader.positions.offsets):
        others = (
            r.positions[log_index] for r in group if own - SLICE_RECORDS <= r.positions[log_index] < r.target[log_index]
        )
        start = min([own, *others])
        stop = min(max(r.target[log_index] for r in group), start + SLICE_RECORDS)
        stop = min(stop, own + max(1, room))
        if start < stop:
            ranges[log_index] = (start, stop)
            room -= stop - start
    return ranges


def _passed(group: Sequence[ReplaySession], log_index: int, start: int, stop: int) -> None:
    """Advance all sessions positioned within these offsets."""
    for session in group:
        if not session.is_full and start <= session.positions[log_index] < stop:
            session.positions[log_index] = max(session.positions[log_index], min(stop, session.target[log_index]))


def _end(session: ReplaySession, error: Exception | None) -> None:
    if session.done is not None and not session.done.done():
        if error is None:
            session.done.set_result(None)
        else:
            session.done.set_exception(error)
