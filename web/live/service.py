"""The life of a WebSocket: admission, live events, close with a code and reason."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from app.settings import Settings
from domain.ports import LogPosition
from domain.records import MessageAccepted
from web.conversations.participants import Participants
from web.conversations.usernames import Usernames
from web.files.registry import KnownFiles
from web.history.service import MessageHistory
from web.http.caller import Caller
from web.http.metrics import Metrics
from web.live.connection import Connection
from web.live.frames import (
    GOING_AWAY,
    TOKEN_EXPIRED,
    TOO_MANY,
    TOO_SLOW,
    TRY_AGAIN,
    close_frame,
)
from web.live.hub import Hub, OnWritten
from web.live.incoming import answer_frames
from web.live.replayer import Replayer
from web.live.resumption import OpenLog, Resumption
from web.messages.facts import StatusWriter

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
_LONGEST_TIMER_SECONDS = 60.0


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
        known_files: KnownFiles,
        open_log: OpenLog,
        clock_ms: Callable[[], int],
        on_written: OnWritten,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock_ms = clock_ms
        self.participants = participants
        self._usernames = usernames
        self.hub = Hub(
            self.participants,
            usernames,
            settings.partitions,
            on_pushed=self._count_pushed,
            on_delivered=self._tell_delivered,
            on_file=known_files.announce,
            on_written=on_written,
        )
        self._replayer = Replayer(
            open_log, self.participants, usernames, history, settings.partitions, self._tell_delivered
        )
        self._resumption = Resumption(
            settings=settings,
            hub=self.hub,
            replayer=self._replayer,
            usernames=usernames,
            metrics=metrics,
            open_log=open_log,
            on_delivered=self._tell_delivered,
            clock_ms=clock_ms,
        )
        self._transports: dict[Connection, asyncio.WriteTransport] = {}
        self._of_user: Counter[str] = Counter()
        self._is_stopping = False
        self._none_left = asyncio.Event()
        self._statuses = statuses
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
                task = asyncio.create_task(self._resumption.bring_up_to_date(connection, since))
                self._end_with_token(connection, caller.expires_at_s * 1000)
            await answer_frames(connection, socket, self._clock_ms)
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

    def _count_pushed(self, frames: int, logged_at_ms: int) -> None:
        self._metrics.live_frames.count += frames
        self._metrics.live_push.count(max(0, self._clock_ms() - logged_at_ms) / 1000, times=frames)

    def _tell_delivered(self, message: MessageAccepted, position: LogPosition, user_id: str) -> None:
        self._statuses.delivered(message, position, user_id, self._clock_ms())

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
        # the client's close frame ends `answer_frames`; without one the transport is aborted
        transport = self._transports[connection]
        transport.write(close_frame(code, reason))
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)


LIVE = web.AppKey("live", Live)
