"""Transfer one file over plain sockets, in a separate process, to keep its cost out of the measurement.

    python -m loadtests.files.transfer up http://127.0.0.1:8080 TOKEN CONVERSATION BYTES
    python -m loadtests.files.transfer tus http://127.0.0.1:8080 TOKEN CONVERSATION BYTES
    python -m loadtests.files.transfer down URL TOKEN

Prints one JSON object: ``seconds``, ``status``, and the answer (``document``) or ``bytes`` and ``checksum``.
"""

from __future__ import annotations

import hashlib
import json
import socket
import sys
from base64 import b64encode
from http.client import HTTPResponse
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from loadtests.files.content import blocks

_BOUNDARY = "b0undary"
_BUFFER_BYTES = 1 << 20
_TIMEOUT_SECONDS = 120.0


def upload(url: str, token: str, conversation_id: str, size_bytes: int) -> dict[str, Any]:
    """Send a file of ``size_bytes`` bytes by ``POST /v1/files``."""
    before = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\n{conversation_id}\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'
    ).encode()
    after = f"\r\n--{_BOUNDARY}--\r\n".encode()
    with _connected(url) as connection:
        began = perf_counter()
        head = _head("POST", "/v1/files", url, token)
        head += f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        head += f"Content-Length: {len(before) + size_bytes + len(after)}\r\n\r\n"
        connection.sendall(head.encode() + before)
        for block in blocks(size_bytes):
            connection.sendall(block)
        connection.sendall(after)
        answer = _answer(connection)
        document = json.loads(answer.read())
        return {"seconds": perf_counter() - began, "status": answer.status, "document": document}


def upload_by_tus(url: str, token: str, conversation_id: str, size_bytes: int) -> dict[str, Any]:
    """Send a file of ``size_bytes`` bytes by tus: one request to begin, one with all bytes, one to see the file."""
    metadata = f"filename {_base64('large.bin')},conversation_id {_base64(conversation_id)}"
    began = perf_counter()
    head = f"{_tus_head('POST', '/v1/uploads', url, token)}Upload-Length: {size_bytes}\r\n"
    begun = _asked(url, f"{head}Upload-Metadata: {metadata}\r\nContent-Length: 0\r\n\r\n")
    path = urlsplit(begun.headers["Location"] or "").path
    head = f"{_tus_head('PATCH', path, url, token)}Upload-Offset: 0\r\nContent-Length: {size_bytes}\r\n"
    with _connected(url) as connection:
        connection.sendall(f"{head}Content-Type: application/offset+octet-stream\r\n\r\n".encode())
        for block in blocks(size_bytes):
            connection.sendall(block)
        sent = _answer(connection)
    seconds = perf_counter() - began
    shown = _asked(url, f"{_head('GET', '/v1/files/' + path.rpartition('/')[2], url, token)}\r\n")
    document = json.loads(shown.read())
    return {"seconds": seconds, "status": 201 if sent.status == 204 else sent.status, "document": document}


def download(url: str, token: str) -> dict[str, Any]:
    """Download ``url`` and hash it; an empty token is not sent."""
    parts = urlsplit(url)
    with _connected(url) as connection:
        began = perf_counter()
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.sendall(f"{_head('GET', path, url, token)}\r\n".encode())
        answer = _answer(connection)
        found, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(_BUFFER_BYTES))
        while read := answer.readinto(buffer):
            found.update(buffer[:read])
            size += read
        seconds = perf_counter() - began
    return {"seconds": seconds, "status": answer.status, "bytes": size, "checksum": f"sha256:{found.hexdigest()}"}


def _asked(url: str, request: str) -> HTTPResponse:
    with _connected(url) as connection:
        connection.sendall(request.encode())
        answer = _answer(connection)
        answer.peek()  # what is small has come
        return answer


def _tus_head(method: str, path: str, url: str, token: str) -> str:
    return f"{_head(method, path, url, token)}Tus-Resumable: 1.0.0\r\n"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port or 80), _TIMEOUT_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return connection


def _head(method: str, path: str, url: str, token: str) -> str:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nConnection: close\r\n{authorization}"


def _answer(connection: socket.socket) -> HTTPResponse:
    answer = HTTPResponse(connection)
    answer.begin()
    return answer


def main(arguments: list[str]) -> None:
    match arguments:
        case ["up", url, token, conversation_id, size]:
            print(json.dumps(upload(url, token, conversation_id, int(size))))
        case ["tus", url, token, conversation_id, size]:
            print(json.dumps(upload_by_tus(url, token, conversation_id, int(size))))
        case ["down", url, token]:
            print(json.dumps(download(url, token)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
