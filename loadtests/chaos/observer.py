"""The system's answers after a run: the API's states, and what the owners of partitions report as waiting."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.codec import decode
from app.kafka.topics import Topics
from app.settings import Settings
from domain.errors import MalformedRecord
from domain.records import AccountReport
from loadtests.chaos.checks import State
from loadtests.http_client import Client

_READ_SECONDS = 30.0
_CLIENTS = 8
_TRIES = 5


def user_of(token: str) -> str:
    """Return the user's id in an access token."""
    payload = token.split(".")[1]
    return str(orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])


async def states_of(client: Client, conversation_ids: Collection[str]) -> dict[str, State]:
    """Return the state of every message in the conversations. Raises ``RuntimeError`` if the API does not answer."""
    states: dict[str, State] = {}
    waiting = list(conversation_ids)

    async def read() -> None:
        while waiting:
            cursor, name = "", quote(waiting.pop(), safe="")
            while True:
                path = f"/v1/conversations/{name}/messages?limit=100" + (f"&cursor={quote(cursor)}" if cursor else "")
                page = await _asked(client, path)
                for document in page["messages"]:
                    states[document["message_id"]] = State.of(document)
                cursor = page["pagination"]["next_cursor"]
                if not cursor:
                    break

    await asyncio.gather(*(read() for _ in range(_CLIENTS)))
    return states


async def _asked(client: Client, path: str) -> dict[str, Any]:
    for _ in range(_TRIES):
        answer = await client.ask("GET", path)
        if answer.status == 200:
            document: dict[str, Any] = answer.json()
            return document
        await asyncio.sleep(1)
    raise RuntimeError(f"{path}: {answer.status} {answer.body!r:.300}")


async def waiting_by_reason(settings: Settings, channel: str) -> dict[str, int]:
    """Return how many deliveries wait, by reason, by the newest report of each account and partition."""
    topic = Topics(settings.topic_prefix).accounts(channel)
    partitions = [TopicPartition(topic, n) for n in range(settings.partitions)]
    newest: dict[bytes, AccountReport] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        open_ones = {tp for tp in partitions if ends[tp]}
        await consumer.seek_to_beginning(*partitions)
        async with asyncio.timeout(_READ_SECONDS):
            while open_ones:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        try:
                            newest[record.key] = decode(record.value, AccountReport)
                        except MalformedRecord:
                            continue
                    if records[-1].offset + 1 >= ends[tp]:
                        open_ones.discard(tp)
    finally:
        await consumer.stop()
    waiting: Counter[str] = Counter()
    for report in newest.values():
        waiting.update(dict(report.waiting_by) or {"waiting": report.waiting})
    return dict(+waiting)
