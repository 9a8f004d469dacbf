"""Frames from clients: pings are answered, others are refused, too many close the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from web.live.connection import Connection
from web.live.frames import POLICY, control_frame

MAX_FRAMES_PER_WINDOW, WINDOW_SECONDS = 200, 10.0


async def answer_frames(connection: Connection, socket: web.WebSocketResponse, clock_ms: Callable[[], int]) -> None:
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
            connection.write(control_frame("pong", timestamp=clock_ms()))
        else:
            connection.write(control_frame("error", detail='only {"type":"ping"} is understood here'))


def _is_ping(kind: WSMsgType, data: Any) -> bool:
    if kind is not WSMsgType.TEXT:
        return False
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and document.get("type") == "ping"
