"""Posts signed webhooks at a fixed rate, and measures how soon the API answers.

    python -m loadtests.webhooks                         # 300 a second for 30 s
    python -m loadtests.webhooks --per-second 600 --bytes 20000

Kafka and Cassandra are its own; no worker runs. Exit code 1 if the p99 is over --most-ms, or an answer is not 200.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import orjson
import uvloop

from devstack import Stack
from loadtests.command_line import parser_of
from loadtests.http_client import Answer, Connection, request_bytes
from loadtests.servers import own_servers
from loadtests.system import System, system_settings

SECRET = "load-secret"
NUMBER_ID = "106540352242922"
WARM_SECONDS = 3.0
CONNECTIONS = 32


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.webhooks", __doc__)
    parser.add_argument("--per-second", type=float, default=300.0, help="posts")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--bytes", type=int, default=1_500, help="of a body, at least")
    parser.add_argument("--processes", type=int, default=1, help="of the API")
    parser.add_argument("--most-ms", type=float, default=50.0, help="the goal for the p99")
    return parser.parse_args(arguments)


def body_of(number: int, least_bytes: int) -> bytes:
    """Return a status as WhatsApp posts it, padded by an unknown field."""
    status = {
        "id": f"wamid.{number}",
        "status": "delivered",
        "timestamp": "1749416390",
        "recipient_id": "5511999990000",
    }
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER_ID}, "statuses": [status]}
    document = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
        "padding": "",
    }
    document["padding"] = "x" * max(0, least_bytes - len(orjson.dumps(document)))
    return orjson.dumps(document)


class Posts:
    """Posts on ``CONNECTIONS`` connections. ``waits_ms``: from when a post was due to its answer."""

    def __init__(self, host: str, port: int, least_bytes: int) -> None:
        self._address = (host, port)
        self._least_bytes = least_bytes
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        self.waits_ms: list[float] = []
        self.statuses: Counter[int] = Counter()

    async def connect(self) -> None:
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await Connection.open(*self._address))

    async def run(self, per_second: float, seconds: float) -> None:
        """Post at a fixed rate, however slow the answers are."""
        began, tasks = perf_counter(), set()
        for number in range(round(per_second * seconds)):
            due = began + number / per_second
            await asyncio.sleep(max(0.0, due - perf_counter()))
            task = asyncio.create_task(self._post(number, due, due - began > WARM_SECONDS))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while tasks:
            await asyncio.wait(tasks)

    async def _post(self, number: int, due: float, is_counted: bool) -> None:
        body = body_of(number, self._least_bytes)
        signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}"}
        request = request_bytes("POST", "/webhooks/whatsapp/load", body, headers=headers)
        connection = await self._free.get()
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        connection.ask(request, answered.set_result)
        answer = await answered
        self._free.put_nowait(connection)
        self.statuses[answer.status] += 1
        if is_counted:
            self.waits_ms.append((perf_counter() - due) * 1000)


async def measure(wanted: argparse.Namespace, stack: Stack, folder: Path) -> int:
    """Post, print, and return the exit code."""
    (folder / "secret").write_text(SECRET)
    accounts = folder / "accounts.toml"
    accounts.write_text(
        f'[[whatsapp]]\nname = "load"\nphone_number_id = "{NUMBER_ID}"\ndriver = "whatsapp"\n'
        f'token_file = "{folder / "secret"}"\napp_secret_file = "{folder / "secret"}"\n'
    )
    settings = system_settings(stack, folder, accounts=str(accounts))
    async with System(settings, folder, {}, api_processes=wanted.processes):
        posts = Posts(settings.host, settings.port, wanted.bytes)
        await posts.connect()
        await posts.run(wanted.per_second, wanted.seconds)
    waits = sorted(posts.waits_ms)
    p50, p95, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.95, 0.99))
    answered = f"{sum(posts.statuses.values())} posts of {wanted.bytes} bytes at {wanted.per_second:g}/s"
    print(f"{answered}: answers {dict(posts.statuses)}")
    print(f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, longest {waits[-1]:.1f} ms", end="")
    print(f" (load {os.getloadavg()[0]:.1f})")
    return 1 if p99 > wanted.most_ms or set(posts.statuses) != {200} else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Post and measure. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with own_servers("webhooks", ["kafka", "cassandra"]) as (stack, folder):
        return uvloop.run(measure(wanted, stack, folder))


if __name__ == "__main__":
    sys.exit(main())
