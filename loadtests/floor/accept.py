"""The bare accept: aiohttp and one aiokafka record, answered after the broker's acknowledgement. Nothing is checked.

python -m loadtests.floor.accept KAFKA TOPIC PORT
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import orjson
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer

from loadtests.system import LOOPBACK

PRODUCER = web.AppKey("producer", AIOKafkaProducer)
TOPIC = web.AppKey("topic", str)


async def create_message(request: web.Request) -> web.Response:
    """``POST /v1/messages``: 202 after the acknowledgement."""
    wanted = orjson.loads(await request.read())
    message_id = os.urandom(16).hex()
    record = {
        "type": "MessageAccepted",
        "version": 1,
        "message_id": message_id,
        "conversation_id": wanted["conversation_id"],
        "sender_id": "",
        "recipient_id": wanted["recipient_id"],
        "content": wanted["content"],
    }
    key = wanted["conversation_id"].encode()
    written = await request.app[PRODUCER].send_and_wait(request.app[TOPIC], orjson.dumps(record), key)
    answer = {
        "message_id": message_id,
        "conversation_id": wanted["conversation_id"],
        "status": "ACCEPTED",
        "timestamp": written.timestamp,
        "accepted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(written.timestamp / 1000)),
    }
    return web.Response(status=202, body=orjson.dumps(answer), content_type="application/json")


async def show_liveness(request: web.Request) -> web.Response:
    """``GET /health``: 200 since the producer is connected."""
    return web.Response()


def bare_app(kafka: str, topic: str) -> web.Application:
    """Return the application; it connects at its start."""

    async def connected(app: web.Application) -> AsyncIterator[None]:
        producer = app[PRODUCER] = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
        await producer.start()
        yield
        await producer.stop()

    app = web.Application()
    app[TOPIC] = topic
    app.cleanup_ctx.append(connected)
    app.router.add_post("/v1/messages", create_message)
    app.router.add_get("/health", show_liveness)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    kafka, topic, port = sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    uvloop.install()
    web.run_app(bare_app(kafka, topic), host=LOOPBACK, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
