"""Fetches: records gather while there are some; an idle process asks seldom, and a lone record waits for nothing."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.consumer.fetcher import Fetcher as AiokafkaFetcher
from faust.transport.drivers import aiokafka as driver

from app.faust.stream_app import StreamApp
from app.kafka.fetch_gathering import gather
from app.settings import Settings
from support.values import NO_ACCOUNTS


class Fetcher:
    """The numbers that aiokafka reads for each request, and whether each fetch finds something."""

    def __init__(self, *found: bool) -> None:
        self.found = list(found)
        self._fetch_min_bytes = 1
        self._fetch_max_wait_ms = 500

    async def _proc_fetch_request(self, assignment: object, node_id: int, request: object) -> bool:
        return self.found.pop(0)

    async def fetch(self) -> bool:
        return await self._proc_fetch_request(None, 1, None)

    @property
    def numbers(self) -> tuple[int, int]:
        return self._fetch_min_bytes, self._fetch_max_wait_ms


async def test_after_a_fetch_that_found_nothing_the_next_one_waits_for_the_first_record() -> None:
    fetcher = Fetcher(True, False, False, True)
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300)
    assert fetcher.numbers == (10_000, 40)
    seen = [(await fetcher.fetch(), fetcher.numbers) for _ in range(4)]
    assert seen == [(True, (10_000, 40)), (False, (1, 300)), (False, (1, 300)), (True, (10_000, 40))]


@pytest.mark.parametrize("idle_ms", [0, 50])
async def test_without_a_longer_wait_records_always_gather(idle_ms: int) -> None:
    fetcher = Fetcher(False)
    gather(fetcher, min_bytes=65_536, wait_ms=50, idle_ms=idle_ms)
    await fetcher.fetch()
    assert fetcher.numbers == (65_536, 50)


async def test_what_is_urgent_does_not_gather() -> None:
    fetcher, urgent = Fetcher(True, True), [True]
    gather(fetcher, min_bytes=65_536, wait_ms=50, idle_ms=300, is_urgent=lambda: bool(urgent))
    await fetcher.fetch()
    assert fetcher.numbers == (1, 50)
    urgent.clear()
    await fetcher.fetch()
    assert fetcher.numbers == (65_536, 50)


async def test_a_worker_fetches_with_the_numbers_of_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        data_dir=str(tmp_path),
        store="memory",
        accounts=NO_ACCOUNTS,
        fetch_min_bytes=1_234,
        fetch_wait_ms=56,
        fetch_idle_ms=78,
    )
    thread = StreamApp(settings).consumer._new_consumer_thread()
    fetcher = Fetcher(False)

    async def started(_thread: object) -> None:
        pass

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", started)
    monkeypatch.setattr(thread, "_ensure_consumer", lambda: SimpleNamespace(_fetcher=fetcher))
    monkeypatch.setattr(thread, "_watch_tasks", lambda consumer: None)
    monkeypatch.setattr(thread.app.pulse, "watch", lambda what, loop: None)  # the pulse ends a process without a loop
    await thread.on_start()
    assert fetcher.numbers == (1_234, 56)
    await fetcher.fetch()
    assert fetcher.numbers == (1, 78)


def test_aiokafka_makes_its_requests_from_these_numbers() -> None:
    """A new version that reads them at its start alone would turn this off in silence."""
    text = inspect.getsource(AiokafkaFetcher._get_actions_per_node)
    assert "self._fetch_max_wait_ms" in text
    assert "self._fetch_min_bytes" in text
    assert "FetchRequest(" in text
    assert "self._proc_fetch_request(" in inspect.getsource(AiokafkaFetcher._fetch_requests_routine)
