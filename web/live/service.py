"""The life of a WebSocket: admission, replay, live events, close with a code and reason."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from app.settings import Settings
from domain.errors import LogUnavailable, Unavailable
from domain.ports import LogPosition
from domain.records import MessageAccepted
from web.conversations.participants import Participants
from web.conversations.usernames import Usernames
from web.history.service import MessageHistory
from web.http.caller import Caller
from web.http.metrics import Metrics
from web.live.connection import Connection
from web.live.frames import (
    GOING_AWAY,
    POLICY,
    TOKEN_EXPIRED,
    TOO_MANY,
    TOO_SLOW,
    TRY_AGAIN,
    close_frame,
    control_frame,
)
from web.live.hub import Hub
from web.live.log_reader import LogReader
from web.live.positions import Positions, live_cursor
from web.live.replayer import SLICE_RECORDS, Replayer, ReplaySession, TooOld
from web.messages.facts import StatusWriter

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
# another process may have read further than this one, but not for longer than this
AHEAD_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_LONGEST_TIMER_SECONDS = 60.0
MAX_FRAMES_PER_WINDOW, WINDOW_SECONDS = 200, 10.0

OpenLog = Callable[[], AbstractAsyncContextManager[LogReader]]


class Live:
    """All connections of this process. ``hub`` receives the tailer's records."""

    def __init__(
        self,
        *,
        settings: Settings,
        participants: Participants,
        usernames: Usernames,
        history: MessageHistory,
        metrics: Metrics,
        statuses: StatusWriter,
        open_log: OpenLog,
        clock_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._partition_count = 2 * settings.partitions
        self._cursor = live_cursor(self._partition_count)
        self.participants = participants
        self._usernames = usernames
        self.hub = Hub(
            self.participants,
            usernames,
            settings.partitions,
            on_pushed=self._count_pushed,
            on_delivered=self._tell_delivered,
        )
        self._replayer = Replayer(
            open_log, self.participants, usernames, history, settings.partitions, self._tell_delivered
        )
        self._transports: dict[Connection, asyncio.WriteTransport] = {}
        self._of_user: Counter[str] = Counter()
        self._is_stopping = False
        self._none_left = asyncio.Event()
        self._statuses = statuses
        self._open_log = open_log
        self._one_asks = asyncio.Semaphore(1)
        metrics.watch("chat4all_live_connections", "Open WebSockets.", lambda: len(self._transports))

    async def serve(
        self, socket: web.WebSocketResponse, transport: asyncio.WriteTransport, caller: Caller, since: str | None
    ) -> None:
        """Serve an open WebSocket until it ends. If this side ends it, it is closed with a code."""
        connection = Connection(caller.user_id, transport, self._settings.live_buffer_bytes, self._close)
        if caller.username:
            self._usernames.learn(caller.user_id, caller.username)
        refusal = self._refusal(caller.user_id)
        self._transports[connection] = transport
        self._of_user[caller.user_id] += 1
        task: asyncio.Task[None] | None = None
        try:
            if refusal is not None:
                connection.close(*refusal)
            else:
                task = asyncio.create_task(self._bring_up_to_date(connection, since))
                self._end_with_token(connection, caller.expires_at_s * 1000)
            await self._listen(connection, socket)
            if not connection.is_open:
                transport.close()  # both close frames were sent; aiohttp does not know this and would send another
        finally:
            if task is not None:
                task.cancel()
            connection.ended()
            self.hub.leave(connection)
            del self._transports[connection]
            self._of_user[caller.user_id] -= 1
            if not self._of_user[caller.user_id]:
                del self._of_user[caller.user_id]
            if self._is_stopping and not self._transports:
                self._none_left.set()
            # aiohttp closes the transport; without a reader it would wait for ever for its buffer to drain
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)

    async def stop(self) -> None:
        """Close every connection with 1001, and wait for their ends at most ``2 * CLOSE_SECONDS``."""
        self._is_stopping = True
        self._replayer.stop()
        self.hub.stop()
        for connection in list(self._transports):
            connection.close(GOING_AWAY, "this server is stopping; connect again with since")
        if not self._transports:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * CLOSE_SECONDS):
                await self._none_left.wait()

    def _refusal(self, user_id: str) -> tuple[int, str] | None:
        if self._is_stopping:
            return GOING_AWAY, "this server is stopping; connect again"
        if not self.hub.is_ready:
            return TRY_AGAIN, "the log cannot be read yet; connect again"
        if len(self._transports) >= self._settings.live_connections:
            return TRY_AGAIN, "this server has reached its limit of connections"
        if self._of_user[user_id] >= self._settings.live_connections_per_user:
            return TOO_MANY, f"a user has at most {self._settings.live_connections_per_user} connections"
        return None

    # outgoing

    async def _bring_up_to_date(self, connection: Connection, since: str | None) -> None:
        """Send the events missed since the cursor, then switch to live events."""
        try:
            if since is None:
                self.hub.join(connection)
                self._greet(connection, self.hub.positions)
                return
            self._metrics.live_resumed.count += 1
            try:
                await self._resume(connection, self._cursor.decode(since))
            except (ValueError, TooOld) as error:
                self.hub.leave(connection)
                connection.held = None
                self.hub.join(connection)
                if not connection.is_greeted:
                    self._greet(connection, self.hub.positions)
                connection.write(
                    control_frame(
                        "resync_required",
                        detail=f"{error}; read what you missed over HTTP",
                        timestamp=self._clock_ms(),
                        cursor=self.hub.positions.text().decode(),
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
        session = ReplaySession(connection, positions, self.hub.positions.copy())
        while connection.is_open and session.left > SLICE_RECORDS:
            await self._replayer.advance(session)
            await connection.drained()
            session.target = self.hub.positions.copy()
            self._check_age(positions)
        # the rest is short: hold live frames back while it is sent
        connection.held = []
        self.hub.join(connection)
        assert connection.start is not None
        session.target = connection.start
        while connection.is_open and session.left:
            await self._replayer.advance(session)
            await connection.drained()
        self._release(connection, session)

    async def _read_as_far_as(self, positions: Positions) -> None:
        """Wait until this process has read up to the cursor, perhaps given by another process."""
        deadline = asyncio.get_running_loop().time() + AHEAD_SECONDS
        while self.hub.positions.behind(positions):
            if asyncio.get_running_loop().time() > deadline:
                async with self._one_asks:
                    await self._check_end(positions)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _check_end(self, positions: Positions) -> None:
        """Raise ``TooOld`` if the log ends before the cursor, ``LogUnavailable`` if only this process is behind."""
        if not self.hub.positions.behind(positions):
            return
        async with self._open_log() as log_reader:
            ends = await log_reader.end_offsets(range(self._partition_count))
        if any(positions[log_index] > end for log_index, end in ends.items()):
            raise TooOld("the cursor is of another log")
        raise LogUnavailable("this process has not reached the cursor yet")

    def _check_age(self, positions: Positions) -> None:
        if positions.behind(self.hub.positions) > self._settings.live_replay_records:
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
                place = LogPosition(event.logged_at_ms, event.offset)
                self._tell_delivered(event.message, place, connection.user_id)

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

    def _count_pushed(self, frames: int, logged_at_ms: int) -> None:
        self._metrics.live_frames.count += frames
        self._metrics.live_push.count(max(0, self._clock_ms() - logged_at_ms) / 1000, frames)

    def _tell_delivered(self, message: MessageAccepted, place: LogPosition, user_id: str) -> None:
        self._statuses.delivered(message, place, user_id, self._clock_ms())

    # incoming

    async def _listen(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        """Answer pings until either side closes the socket."""
        clock = asyncio.get_running_loop().time
        window_ends_at, frames = clock() + WINDOW_SECONDS, 0
        async for frame in socket:
            if frame.type is WSMsgType.ERROR:
                return
            if clock() > window_ends_at:
                window_ends_at, frames = clock() + WINDOW_SECONDS, 0
            frames += 1
            if not connection.is_open:
                await asyncio.sleep(0)  # discard the frame, and let other tasks run
            elif frames > MAX_FRAMES_PER_WINDOW:
                connection.close(POLICY, f"more than {MAX_FRAMES_PER_WINDOW} frames in {WINDOW_SECONDS:g} seconds")
            elif frame.type is WSMsgType.PING:
                await socket.pong(frame.data)
            elif frame.type is WSMsgType.PONG:
                pass
            elif _is_ping(frame.type, frame.data):
                connection.write(control_frame("pong", timestamp=self._clock_ms()))
            else:
                connection.write(control_frame("error", detail='only {"type":"ping"} is understood here'))

    # closing

    def _end_with_token(self, connection: Connection, expires_at_ms: int) -> None:
        left_ms = expires_at_ms - self._clock_ms()
        if left_ms <= 0:
            connection.close(TOKEN_EXPIRED, "the token has expired; log in and connect again with since")
        else:  # not in one go: clocks are set now and then
            seconds = min(left_ms / 1000, _LONGEST_TIMER_SECONDS)
            loop = asyncio.get_running_loop()
            connection.timer = loop.call_later(seconds, self._end_with_token, connection, expires_at_ms)

    def _close(self, connection: Connection, code: int, reason: str) -> None:
        self.hub.leave(connection)
        if code == TOO_SLOW:
            self._metrics.live_too_slow.count += 1
        # the client's close frame ends `_listen`; without one the transport is aborted
        transport = self._transports[connection]
        transport.write(close_frame(code, reason))
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)


def _is_ping(kind: WSMsgType, data: Any) -> bool:
    if kind is not WSMsgType.TEXT:
        return False
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and document.get("type") == "ping"


LIVE = web.AppKey("live", Live)
