"""A worker's fetches: records gather while there are some; an idle worker asks seldom, and a lone record waits for
nothing."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher as AiokafkaFetcher
from aiokafka.protocol.fetch import FetchRequest

from app.faust.poll_loop import MANY_BYTES, gather_when_busy
from app.settings import Settings


class Client:
    """Answers fetches with as many bytes as told, of two partitions of which one has none."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = list(sizes)
        self.cluster = "the cluster"

    async def send(self, node_id: int, request: Any) -> Any:
        size = self.sizes.pop(0)
        return SimpleNamespace(topics=[("messages", [(0, 0, 7, b"x" * size), (1, 0, 7, None)])])


class Fetcher:
    """The numbers that aiokafka reads for each request, and whether a fetch found something."""

    _fetch_min_bytes = 65_536
    _fetch_max_wait_ms = 50

    def __init__(self, *sizes: int) -> None:
        self._client: Any = Client(*sizes)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        answer = await self._client.send(node_id, request)
        return bool(answer.topics[0][1][0][3])

    async def fetch(self) -> bool:
        return await self._proc_fetch_request(None, 1, FetchRequest.__new__(FetchRequest))

    @property
    def numbers(self) -> tuple[int, int]:
        return self._fetch_min_bytes, self._fetch_max_wait_ms


async def test_after_a_fetch_that_found_nothing_the_next_one_waits_for_the_first_record() -> None:
    fetcher = Fetcher(100, 0, 0, 100)
    gather_when_busy(fetcher, Settings(fetch_min_bytes=10_000, fetch_wait_ms=40, fetch_idle_ms=300))
    seen = [(await fetcher.fetch(), fetcher.numbers) for _ in range(4)]
    assert seen == [(True, (10_000, 40)), (False, (1, 300)), (False, (1, 300)), (True, (10_000, 40))]


async def test_where_many_records_come_they_gather_for_longer() -> None:
    fetcher = Fetcher(MANY_BYTES, MANY_BYTES - 1, MANY_BYTES, 0)
    gather_when_busy(fetcher, Settings(fetch_wait_ms=40, fetch_busy_ms=200, fetch_idle_ms=300))
    seen = [(await fetcher.fetch(), fetcher.numbers)[1] for _ in range(4)]
    assert seen == [(65_536, 200), (65_536, 40), (65_536, 200), (1, 300)]


@pytest.mark.parametrize("idle_ms", [0, 50])
async def test_without_a_longer_wait_records_always_gather(idle_ms: int) -> None:
    fetcher = Fetcher(0)
    gather_when_busy(fetcher, Settings(fetch_wait_ms=50, fetch_idle_ms=idle_ms, fetch_busy_ms=0))
    await fetcher.fetch()
    assert fetcher.numbers == (65_536, 50)
    assert fetcher._client.cluster == "the cluster", "all else goes to the client"


def test_aiokafka_makes_its_requests_from_these_numbers() -> None:
    """A new version that reads them at its start alone would turn this off in silence."""
    text = inspect.getsource(AiokafkaFetcher._get_actions_per_node)
    assert "self._fetch_max_wait_ms" in text
    assert "self._fetch_min_bytes" in text
    assert "FetchRequest(" in text
    assert "self._proc_fetch_request(" in inspect.getsource(AiokafkaFetcher._fetch_requests_routine)
