"""How long `GET /v1/messages/{id}?as_of=…&known_at=…` takes on a running system.

    python -m loadtests.past_states --messages 200 --requests 2000

Needs a running system (CHAT4ALL_URL) with a channel that takes messages, such as `make run`. The limit for p99 is
200 ms.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid

import click
from aiohttp import ClientSession

PASSWORD = "a long passphrase"
MOST_MS = 200.0


async def _measure(url: str, messages: int, requests: int, at_once: int) -> list[float]:
    name, took, dice = f"past_{uuid.uuid4().hex[:8]}", [], random.Random(1)
    async with ClientSession(url) as session:
        for path in ("/users", "/auth/login"):
            async with session.post(path, json={"username": name, "password": PASSWORD}) as answer:
                answer.raise_for_status()
                document = await answer.json()
        headers = {"Authorization": f"Bearer {document['access_token']}"}
        sent: list[tuple[str, int]] = []
        for number in range(messages):
            body = {"recipient_id": f"whatsapp:+55119999{number % 1_000:05d}", "content": f"number {number}"}
            async with session.post("/v1/messages", json=body, headers=headers) as answer:
                answer.raise_for_status()
                accepted = await answer.json()
                sent.append((accepted["message_id"], accepted["timestamp"]))
        wanted = iter(range(requests))

        async def ask() -> None:
            for _ in wanted:
                message_id, at = dice.choice(sent)
                moment = {"as_of": at + dice.randrange(8_000), "known_at": at + dice.randrange(8_000)}
                began = time.perf_counter()
                async with session.get(f"/v1/messages/{message_id}", params=moment, headers=headers) as answer:
                    await answer.read()
                    answer.raise_for_status()
                took.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(ask() for _ in range(at_once)))
    return sorted(took)


@click.command()
@click.option("--url", envvar="CHAT4ALL_URL", default="http://127.0.0.1:8080", show_default=True)
@click.option("--messages", default=200, show_default=True)
@click.option("--requests", default=2_000, show_default=True)
@click.option("--at-once", default=2, show_default=True)
def main(url: str, messages: int, requests: int, at_once: int) -> None:
    """Print median, p95 and p99 in milliseconds."""
    took = asyncio.run(_measure(url, messages, requests, at_once))
    shares = {
        name: took[min(len(took) - 1, int(len(took) * share))]
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }
    verdict = "within" if shares["p99"] <= MOST_MS else "BEYOND"
    click.echo(
        f"{len(took):,} requests, {at_once} at once, load {os.getloadavg()[0]:.1f}: "
        + ", ".join(f"{name} {value:.1f} ms" for name, value in shares.items())
        + f", greatest {took[-1]:.1f} ms; {verdict} {MOST_MS:g} ms"
    )


if __name__ == "__main__":
    main()
