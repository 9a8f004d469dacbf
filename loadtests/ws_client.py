"""A lean WebSocket client: many listening sockets, with the delay of each frame.

As ``http_client.py``, it does what a measurement on shared cores needs and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any

CONNECT_SECONDS = 10.0

# (payload of a text frame)
OnFrame = Callable[[bytes], None]


class Listener(asyncio.Protocol):
    """One WebSocket. ``on_frame`` is called with each text frame; ``is_open`` from the handshake to the end."""

    def __init__(self, request: bytes, on_frame: OnFrame) -> None:
        self._request = request
        self._on_frame = on_frame
        self._received = b""
        self._transport: Any = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_open = False
        self.close_code: int | None = None
        self.ended = asyncio.Event()

    @classmethod
    async def open(cls, host: str, port: int, path: str, on_frame: OnFrame) -> Listener:
        """Raises ``OSError`` if nobody listens, or the server does not switch protocols in time."""
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, listener = await asyncio.get_running_loop().create_connection(
                    lambda: cls(request.encode(), on_frame), host, port
                )
                await listener._opened
        except TimeoutError:
            raise OSError(f"{host}:{port} opened no WebSocket in {CONNECT_SECONDS:g} s") from None
        return listener

    def close(self) -> None:
        """End it without a word."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.ended.set()
        if not self._opened.done():
            self._opened.set_exception(OSError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        if not self.is_open:
            head, mark, received = received.partition(b"\r\n\r\n")
            if not mark:
                self._received = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._opened.set_exception(OSError(head.decode("latin-1")))
                self._transport.abort()
                return
            self.is_open = True
            self._opened.set_result(None)
        self._received = self._take_frames(received)

    def _take_frames(self, data: bytes) -> bytes:
        """Hand on all whole frames; return the rest. A server's frames are not masked (RFC 6455, section 5.1)."""
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                if end - start < width:
                    break
                size = int.from_bytes(data[start : start + width], "big")
                start += width
            if end - start < size:
                break
            self._take(data[at] & 0x0F, data[start : start + size])
            at = start + size
        return data[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 0x1:
            self._on_frame(payload)
        elif opcode == 0x8:
            self.close_code = int.from_bytes(payload[:2], "big")
            self._transport.write(b"\x88\x80\0\0\0\0")
        elif opcode == 0x9:  # a ping: the same bytes back, masked with zeros
            self._transport.write(bytes((0x8A, 0x80 | len(payload))) + b"\0\0\0\0" + payload)
