"""Clients of a kind that load has none of: one that reads nothing, and curl, which handles files."""

from __future__ import annotations

import asyncio
import socket

_SILENT_BYTES = 4_096


def silent_socket(host: str, port: int, token: str) -> socket.socket:
    """Return an open WebSocket with a small buffer, of which nobody will read."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SILENT_BYTES)
    made.connect((host, port))
    made.sendall(
        f"GET /notifications?token={token} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return made


async def curl(*arguments: str) -> str:
    """Return what curl prints."""
    process = await asyncio.create_subprocess_exec("curl", *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode(errors="replace")
