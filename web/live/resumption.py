"""Bring a new connection up to date: greet it, send the events missed since its cursor, then switch to live events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from app.settings import Settings
from domain.errors import LogUnavailable, Unavailable
from domain.ports import LogPosition
from web.conversations.usernames import Usernames
from web.http.metrics import Metrics
from web.live.connection import Connection
from web.live.frames import TRY_AGAIN, control_frame
from web.live.hub import Hub, OnDelivered
from web.live.log_reader import LogReader
from web.live.positions import Positions, live_cursor
from web.live.replayer import SLICE_RECORDS, Replayer, ReplaySession, TooOld

log = logging.getLogger(__name__)

# another process may have read further than this one, but not for longer than this
AHEAD_SECONDS = 5.0
_LOOK_SECONDS = 0.02

OpenLog = Callable[[], AbstractAsyncContextManager[LogReader]]


class Resumption:
    """Greets the connections of one process. ``on_delivered``: see ``Hub``."""

    def __init__(
        self,
        *,
        settings: Settings,
        hub: Hub,
        replayer: Replayer,
        usernames: Usernames,
        metrics: Metrics,
        open_log: OpenLog,
        on_delivered: OnDelivered,
        clock_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._replayer = replayer
        self._usernames = usernames
        self._metrics = metrics
        self._open_log = open_log
        self._on_delivered = on_delivered
        self._clock_ms = clock_ms
        self._partition_count = 2 * settings.partitions
        self._cursor = live_cursor(self._partition_count)
        self._one_asks = asyncio.Semaphore(1)

    async def bring_up_to_date(self, connection: Connection, since: str | None) -> None:
        """Send the events missed since the cursor, then switch to live events."""
        try:
            if since is None:
                self._hub.join(connection)
                self._greet(connection, self._hub.positions)
                return
            self._metrics.live_resumed.count += 1
            try:
                await self._resume(connection, self._cursor.decode(since))
            except (ValueError, TooOld) as error:
                self._hub.leave(connection)
                connection.held = None
                self._hub.join(connection)
                if not connection.is_greeted:
                    self._greet(connection, self._hub.positions)
                connection.write(
                    control_frame(
                        "resync_required",
                        detail=f"{error}; read what you missed over HTTP",
                        timestamp=self._clock_ms(),
                        cursor=self._hub.positions.text().decode(),
                    )
                )
        except Unavailable as error:
            log.warning("a connection cannot catch up: %s", error)
            connection.close(TRY_AGAIN, "missed events cannot be read right now; connect again with since")
        except Exception:
            log.exception("a connection could not be brought up to date")
            connection.close(1011, "internal error; it has been logged")

    async def _resume(self, connection: Connection, positions: Positions) -> None:
        await self._read_as_far_as(positions)
        self._check_age(positions)
        self._greet(connection, positions)
        session = ReplaySession(connection, positions, self._hub.positions.copy())
        while connection.is_open and session.left > SLICE_RECORDS:
            await self._replayer.advance(session)
            await connection.drained()
            session.target = self._hub.positions.copy()
            self._check_age(positions)
        # the rest is short: hold live frames back while it is sent
        connection.held = []
        self._hub.join(connection)
        assert connection.start is not None
        session.target = connection.start
        while connection.is_open and session.left:
            await self._replayer.advance(session)
            await connection.drained()
        self._release(connection, session)

    async def _read_as_far_as(self, positions: Positions) -> None:
        """Wait until this process has read up to the cursor, perhaps given by another process."""
        deadline = asyncio.get_running_loop().time() + AHEAD_SECONDS
        while self._hub.positions.behind(positions):
            if asyncio.get_running_loop().time() > deadline:
                async with self._one_asks:
                    await self._check_end(positions)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _check_end(self, positions: Positions) -> None:
        """Raise ``TooOld`` if the log ends before the cursor, ``LogUnavailable`` if only this process is behind."""
        if not self._hub.positions.behind(positions):
            return
        async with self._open_log() as log_reader:
            ends = await log_reader.end_offsets(range(self._partition_count))
        if any(positions[log_index] > end for log_index, end in ends.items()):
            raise TooOld("the cursor is of another log")
        raise LogUnavailable("this process has not reached the cursor yet")

    def _check_age(self, positions: Positions) -> None:
        if positions.behind(self._hub.positions) > self._settings.live_replay_records:
            raise TooOld("the cursor is too old")

    def _release(self, connection: Connection, session: ReplaySession) -> None:
        """Send the frames held back, except statuses that the replay has already published or superseded."""
        held, connection.held = connection.held or [], None
        published_at = {
            event.message_id: index
            for index, (event, _) in enumerate(held)
            if event.status and session.last_published.get(event.message_id) == event.publication_key
        }
        for index, (event, frame) in enumerate(held):
            if event.status and index <= published_at.get(event.message_id, -1):
                continue
            if connection.write(frame) and event.message is not None:
                position = LogPosition(event.logged_at_ms, event.offset)
                self._on_delivered(event.message, position, connection.user_id)

    def _greet(self, connection: Connection, positions: Positions) -> None:
        connection.is_greeted = True
        connection.write(
            control_frame(
                "connected",
                userId=connection.user_id,
                username=self._usernames.known(connection.user_id),
                timestamp=self._clock_ms(),
                cursor=positions.text().decode(),
            )
        )
