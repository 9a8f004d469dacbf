"""How long the partitions of a role stand still while there is work: watched from outside, by committed offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from itertools import pairwise
from time import monotonic

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from app.settings import Settings
from loadtests.groups import Groups

LOOK_SECONDS = 0.2


def longest_gap(moves: Iterable[float], since: float, to: float) -> float:
    """Return the longest time without a move from ``since`` to ``to``."""
    marks = [since, *sorted(at for at in moves if since <= at <= to), to]
    return max(after - before for before, after in pairwise(marks))


class CommitWatch:
    """Use as a context manager; give every partition steady work meanwhile, or its silence counts as a standstill.

    A figure is up to a commit interval and ``LOOK_SECONDS`` too long.
    """

    def __init__(self, settings: Settings, role: str) -> None:
        self._settings = settings
        self._role = role
        self._seen: dict[TopicPartition, list[tuple[float, int]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> CommitWatch:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def longest_seconds(self, partitions: Collection[TopicPartition], since: float, to: float) -> float:
        """Return the longest time between two advances of one of ``partitions``, between two ``monotonic`` times."""
        return max(longest_gap((at for at, _ in self._seen.get(tp, ())), since, to) for tp in partitions)

    async def _watch(self) -> None:
        async with Groups.connected(self._settings) as groups:
            while True:
                try:
                    for tp, offset in (await groups.committed(self._role)).items():
                        moves = self._seen.setdefault(tp, [])
                        if not moves or moves[-1][1] != offset:
                            moves.append((monotonic(), offset))
                except KafkaError:
                    pass  # no coordinator just now: no advance was seen either
                await asyncio.sleep(LOOK_SECONDS)
