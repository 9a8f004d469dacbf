"""Sends requests at a rate or flat out, and notes when each was due and when it was answered."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from math import ceil
from time import perf_counter

from loadtests.http_client import NO_ANSWER, Answer, Connection

_REOPEN_SECONDS = 0.1


class Shots:
    """Requests and their outcomes, by position. Times are seconds of ``time.perf_counter``.

    ``due``: when the request was to be sent. Latency counts from there, so a wait for a free connection, or for a
    load generator that is late, is part of it (no coordinated omission).
    """

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.requests = requests
        self.due = [0.0] * len(requests)
        self.answered = [0.0] * len(requests)
        self.answers: list[Answer] = [NO_ANSWER] * len(requests)

    def __len__(self) -> int:
        return len(self.requests)

    def latencies_ms(self) -> list[float]:
        """Return the latencies, sorted."""
        return sorted((end - due) * 1000 for due, end in zip(self.due, self.answered, strict=True))

    def count(self, status: int) -> int:
        """Return how many answers had ``status``."""
        return sum(answer.status == status for answer in self.answers)

    @property
    def seconds(self) -> float:
        """Seconds from the first due time to the last response."""
        return max(self.answered, default=0.0) - min(self.due, default=0.0)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the quantile ``share`` (0 to 1) of the values (nearest rank)."""
    if not sorted_values:
        return float("nan")
    return sorted_values[max(0, ceil(share * len(sorted_values) - 1e-9) - 1)]


class _Sender:
    """A connection and its pending request."""

    def __init__(self, generator: Generator, connection: Connection) -> None:
        self.generator = generator
        self.connection = connection
        self.index = 0

    def send(self, index: int) -> None:
        self.index = index
        self.connection.ask(self.generator.shots.requests[index], self.take)

    def take(self, answer: Answer) -> None:
        self.generator.answered(self, self.index, answer)


class Generator:
    """``connections`` keep-alive connections to one port. Use as a context manager; one load at a time."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._address = (host, port)
        self._count = connections
        self._free: list[_Sender] = []
        self._waiting: deque[int] = deque()
        self._reopening: set[asyncio.Task[None]] = set()
        self._open_loop = True
        self._missing = 0
        self._done = asyncio.Event()
        self.shots = Shots(())

    async def __aenter__(self) -> Generator:
        for _ in range(self._count):
            self._free.append(_Sender(self, await Connection.open(*self._address)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._reopening:
            task.cancel()
        for sender in self._free:
            sender.connection.close()

    async def at_rate(self, requests: Sequence[bytes], per_second: float, *, seed: int = 1) -> Shots:
        """Send at random times (a Poisson process), ``per_second`` on average, regardless of responses."""
        gaps = random.Random(seed)
        shots = self._begin(requests, open_loop=True)
        due = perf_counter()
        for index in range(len(requests)):
            due += gaps.expovariate(per_second)
            if (wait := due - perf_counter()) > 0:
                await asyncio.sleep(wait)
            shots.due[index] = due
            self._submit(index)
            if not index % 64:
                await asyncio.sleep(0)  # one that is late must still see answers
        await self._done.wait()
        return shots

    async def flat_out(self, requests: Sequence[bytes], connections: int | None = None) -> Shots:
        """Send on every connection (or on so many of them) as soon as the answer before has come."""
        shots = self._begin(requests, open_loop=False)
        resting = self._free[connections:] if connections is not None else []
        del self._free[len(self._free) - len(resting) :]
        for index in range(len(requests)):
            self._submit(index)
        await self._done.wait()
        self._free += resting
        return shots

    def _begin(self, requests: Sequence[bytes], *, open_loop: bool) -> Shots:
        self.shots = Shots(requests)
        self._open_loop = open_loop
        self._missing = len(requests)
        self._done.clear()
        if not requests:
            self._done.set()
        return self.shots

    def _submit(self, index: int) -> None:
        if self._free:
            self._send(self._free.pop(), index)
        else:
            self._waiting.append(index)

    def _send(self, sender: _Sender, index: int) -> None:
        if not self._open_loop:
            self.shots.due[index] = perf_counter()
        sender.send(index)

    def answered(self, sender: _Sender, index: int, answer: Answer) -> None:
        """Note an answer and give the sender its next request."""
        shots = self.shots
        shots.answered[index] = perf_counter()
        shots.answers[index] = answer
        self._missing -= 1
        if not self._missing:
            self._done.set()
        if not sender.connection.is_open:
            task = asyncio.get_running_loop().create_task(self._reopen(sender))
            self._reopening.add(task)
            task.add_done_callback(self._reopening.discard)
        else:
            self._use(sender)

    def _use(self, sender: _Sender) -> None:
        if self._waiting:
            self._send(sender, self._waiting.popleft())
        else:
            self._free.append(sender)

    async def _reopen(self, sender: _Sender) -> None:
        while True:
            try:
                sender.connection = await Connection.open(*self._address)
                break
            except OSError:
                await asyncio.sleep(_REOPEN_SECONDS)
        self._use(sender)
