"""The smallest real question each server can be asked, without a client library.

A client would need hundreds of milliseconds to set itself up and would log each failed attempt of a
server that is still starting.
"""

from __future__ import annotations

import http.client
import socket
import struct

_CLIENT_ID = b"chat4all-devstack"
_MAX_ANSWER_BYTES = 1 << 20


class UnexpectedAnswer(OSError):
    """Something listens there, but it does not answer as it should (yet)."""


def ask_kafka(host: str, port: int, timeout_seconds: float) -> None:
    """Send a Metadata request and expect at least one live broker in the answer.

    A KRaft broker that is still fenced answers with an empty list. Metadata v1:
    https://kafka.apache.org/39/protocol.html#The_Messages_Metadata
    Raises OSError (UnexpectedAnswer included).
    """
    no_topics = struct.pack(">i", 0)
    header = struct.pack(">hhih", 3, 1, 1, len(_CLIENT_ID)) + _CLIENT_ID  # key, version, correlation
    request = header + no_topics
    with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
        connection.settimeout(timeout_seconds)
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _read(connection, 4))
        answer = _read(connection, size)
    if len(answer) < 8:
        raise UnexpectedAnswer("the answer to a Metadata request is too short")
    _, brokers = struct.unpack_from(">ii", answer)
    if brokers < 1:
        raise UnexpectedAnswer("Kafka knows no live broker yet")


def ask_cassandra(host: str, port: int, timeout_seconds: float) -> None:
    """Run a CQL query and expect rows. CQL binary protocol v4, frames in chapter 2:
    https://github.com/apache/cassandra/blob/cassandra-5.0/doc/native_protocol_v4.spec
    Raises OSError (UnexpectedAnswer included).
    """
    startup, ready, query, result = 0x01, 0x02, 0x07, 0x08
    options = struct.pack(">H", 1) + _string(b"CQL_VERSION") + _string(b"3.0.0")
    cql = b"SELECT release_version FROM system.local"
    consistency_one, no_flags = 1, 0
    question = struct.pack(">i", len(cql)) + cql + struct.pack(">HB", consistency_one, no_flags)
    with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
        connection.settimeout(timeout_seconds)
        for opcode, body, expected in ((startup, options, ready), (query, question, result)):
            connection.sendall(struct.pack(">BBhBi", 0x04, 0, 0, opcode, len(body)) + body)
            _, _, _, answered, size = struct.unpack(">BBhBi", _read(connection, 9))
            answer = _read(connection, size)
            if answered != expected:
                raise UnexpectedAnswer(f"CQL opcode {answered} instead of {expected}: {answer[:200]!r}")


def ask_minio(host: str, port: int, timeout_seconds: float) -> None:
    """Ask whether it is ready, then list buckets without a signature, which it must refuse in S3's words.

    Raises OSError (UnexpectedAnswer included).
    """
    for path, expected_status, expected_word in (("/minio/health/ready", 200, b""), ("/", 403, b"AccessDenied")):
        connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read(_MAX_ANSWER_BYTES)
        except http.client.HTTPException as error:
            raise UnexpectedAnswer(f"no HTTP: {error!r}") from error
        finally:
            connection.close()
        if response.status != expected_status or expected_word not in body:
            raise UnexpectedAnswer(f"GET {path}: status {response.status} instead of {expected_status}")


def _string(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _read(connection: socket.socket, size: int) -> bytes:
    if not 0 <= size <= _MAX_ANSWER_BYTES:
        raise UnexpectedAnswer(f"an answer of {size} bytes")
    chunks = bytearray()
    while len(chunks) < size:
        chunk = connection.recv(size - len(chunks))
        if not chunk:
            raise UnexpectedAnswer("the connection was closed before the answer was complete")
        chunks += chunk
    return bytes(chunks)
