"""aiokafka on uvloop, when the broker's end of a connection is gone: an error that it knows, and no wait for ever."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

import app.kafka.kafka_client  # noqa: F401  what is tested

LOOKS = 200


async def reset_connection() -> AIOKafkaConnection:
    """A connection whose other end is reset, as the kernel does when the broker is killed."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    host, port = server.getsockname()
    connection: Any = AIOKafkaConnection(host, port)
    connection._reader, connection._writer = await asyncio.open_connection(host, port)
    connection._versions = {3: (0, 0)}
    connection._read_task = connection._create_reader_task()
    peer, _ = await asyncio.get_running_loop().sock_accept(server)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    server.close()
    return connection  # type: ignore[no-any-return]


async def error_of_writes() -> list[BaseException]:
    """What requests raise from the reset on, in every turn of the loop."""
    connection = await reset_connection()
    errors: list[BaseException] = []
    for _ in range(LOOKS):
        try:
            request = connection.send(MetadataRequest([]))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)
            if not connection.connected():
                break
        else:
            request = asyncio.ensure_future(request)
            request.add_done_callback(lambda done: done.exception())
        await asyncio.sleep(0)
    return errors


def test_a_request_on_a_connection_that_was_reset_fails_as_aiokafka_expects_also_on_uvloop() -> None:
    errors = uvloop.run(error_of_writes())
    assert errors
    assert {type(error) for error in errors} == {KafkaConnectionError}


async def test_an_update_of_the_metadata_that_raises_is_followed_by_another_one() -> None:
    client: Any = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    attempts = 0

    async def connection(node_id: object) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("the handler is closed")

    client._get_conn = connection
    client.cluster.brokers = lambda: {type("Broker", (), {"nodeId": 1})()}
    client._sync_task = asyncio.create_task(client._md_synchronizer())
    for _ in range(2):
        async with asyncio.timeout(5):
            assert await client.force_metadata_update() is False
    assert attempts == 2
    await client.close()
