"""The same load on one system after the other."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from time import time
from typing import Protocol

import orjson

from app.settings import Settings
from loadtests.floor.figures import Spread, Subject
from loadtests.generator import Generator, Shots
from loadtests.http_client import request_bytes
from loadtests.ledger import Ledger
from loadtests.meter import Meter
from loadtests.orders import SAMPLE, Order, address_on
from loadtests.processes import Process
from loadtests.reader import LedgerReader
from loadtests.system import Servers

WARM_UP_MESSAGES = 2_000
BREATH_SECONDS = 1.0
_NUMBERS = itertools.count(1)


class Running(Protocol):
    """A system that accepts on the port of its settings."""

    @property
    def settings(self) -> Settings: ...

    @property
    def processes(self) -> Sequence[Process]: ...


class KnownOrders:
    """Messages of conversations with one address each, so all but the first find everything known."""

    def __init__(self, count: int, name: str) -> None:
        self._sides = [(f"{name}-{n}", address_on(next(_NUMBERS))) for n in range(count)]

    def make(self, count: int) -> list[Order]:
        """Return ``count`` messages, the conversations taking turns."""
        turns = itertools.islice(itertools.cycle(self._sides), count)
        return [Order(conversation, address, f"{SAMPLE}{next(_NUMBERS)}") for conversation, address in turns]


def first_message(token: str) -> bytes:
    """Return the request for the first message of a new direct conversation."""
    number = next(_NUMBERS)
    body = orjson.dumps({"recipient_id": address_on(number), "content": f"{SAMPLE}{number}"})
    return request_bytes("POST", "/v1/messages", body, token)


class Sitting:
    """The load on one system. ``has_end``: something works behind the accept, so its messages become READ."""

    def __init__(
        self, wanted: argparse.Namespace, running: Running, servers: Servers, subject: Subject, token: str
    ) -> None:
        self._wanted = wanted
        self._running = running
        self._subject = subject
        self._token = token
        self._orders = KnownOrders(wanted.conversations, f"known-{subject.name.replace(' ', '-')}")
        self._meter = Meter(running.processes, servers)
        self._ledger = Ledger()
        self._reader = LedgerReader(running.settings, self._ledger)

    async def measure(self, *, has_end: bool, has_new: bool) -> bool:
        """Fill the subject; return whether the ledger balances."""
        settings = self._running.settings
        async with Generator(settings.host, settings.port, self._wanted.connections) as generator:
            if not has_end:
                await self._accepts(generator, has_new=has_new)
                return True
            async with self._reader:
                await self._accepts(generator, has_new=has_new)
                await self._settled()
                await self._to_the_end(generator)
                return self._is_balanced()

    async def _accepts(self, generator: Generator, *, has_new: bool) -> None:
        _say(f"{self._subject.name}: warming up")
        for count in (self._wanted.conversations, WARM_UP_MESSAGES):
            await self._shots(generator, self._orders.make(count))
        self._meter.begin()
        for rate in map(float, self._wanted.rates.split(",")):
            await self._rest()
            _say(f"{self._subject.name}: {rate:g}/s")
            orders = self._orders.make(round(rate * self._wanted.seconds))
            self._subject.rates[rate] = Spread.of(await self._shots(generator, orders, rate))
        if has_new:
            await self._new(generator)
        for connections in map(int, self._wanted.flat_out.split(",")):
            await self._rest()
            _say(f"{self._subject.name}: flat out on {connections} connections")
            await self._flat_out(generator, connections)
        self._subject.other_cores = self._meter.other_cores()

    async def _new(self, generator: Generator) -> None:
        rate = self._subject.new_rate = self._wanted.new_rate
        await self._rest()
        _say(f"{self._subject.name}: first messages of new conversations, {rate:g}/s")
        requests = [first_message(self._token) for _ in range(round(rate * self._wanted.seconds))]
        self._reader.pause()
        shots = await generator.at_rate(requests, rate)
        self._subject.new = Spread.of(shots)
        for request, answer in zip(requests, shots.answers, strict=True):
            if answer.status == 202:
                wanted, found = orjson.loads(request.partition(b"\r\n\r\n")[2]), answer.json()
                order = Order(found["conversation_id"], wanted["recipient_id"], wanted["content"])
                self._ledger.accepted(order, found["message_id"])

    async def _flat_out(self, generator: Generator, connections: int) -> None:
        estimate = 200.0 * min(connections, 8)  # a second; the first try says how many a second there are
        tried = await self._shots(generator, self._orders.make(round(estimate)), connections=connections)
        count = round(len(tried) / tried.seconds * self._wanted.flat_seconds)
        await self._rest()
        shots = await self._shots(generator, self._orders.make(count), connections=connections)
        self._subject.flat_out[connections] = Spread.of(shots)

    async def _to_the_end(self, generator: Generator) -> None:
        count = self._wanted.messages
        _say(f"{self._subject.name}: {count} messages to the end")
        self._meter.begin()
        began_ms = time() * 1000
        await self._shots(generator, self._orders.make(count))
        await self._settled()
        self._subject.cpu_ms = {name: ms / count for name, ms in self._meter.used_ms().items()}
        self._subject.to_the_end = count / (self._reader.last_ms - began_ms) * 1000

    async def _shots(
        self,
        generator: Generator,
        orders: Sequence[Order],
        per_second: float | None = None,
        *,
        connections: int | None = None,
    ) -> Shots:
        requests = [order.request(self._token) for order in orders]
        self._reader.pause()
        if per_second is None:
            shots = await generator.flat_out(requests, connections)
        else:
            shots = await generator.at_rate(requests, per_second)
        for order, answer in zip(orders, shots.answers, strict=True):
            if answer.status == 202:
                self._ledger.accepted(order, answer.json()["message_id"])
            elif answer.status in (0, 503):
                self._ledger.uncertain += 1
        return shots

    async def _settled(self) -> None:
        await self._reader.settled(30.0)

    async def _rest(self) -> None:
        """Let the load before come to its end."""
        if self._reader.is_open:
            await self._settled()
        await asyncio.sleep(BREATH_SECONDS)

    def _is_balanced(self) -> bool:
        balance = self._ledger.balance()
        _say(f"{self._subject.name}: {balance}")
        return balance.is_balanced


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
