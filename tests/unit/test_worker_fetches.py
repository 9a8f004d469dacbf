"""Fetches: records gather while there are many; an idle process asks seldom, and a lone record waits for nothing."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.consumer.fetcher import Fetcher as AiokafkaFetcher
from faust.transport.drivers import aiokafka as driver

from app.faust.stream_app import StreamApp
from app.kafka.fetch_gathering import BURST, WakeUps, gather
from app.settings import Settings
from support.values import NO_ACCOUNTS


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Fetcher:
    """The numbers that aiokafka reads for each request, and whether each fetch finds something."""

    def __init__(self, *found: bool, clock: Clock | None = None) -> None:
        self.found = list(found)
        self.clock = clock or Clock()
        self.takes_seconds = 0.0
        self._fetch_min_bytes = 1
        self._fetch_max_wait_ms = 500

    async def _proc_fetch_request(self, assignment: object, node_id: int, request: object) -> bool:
        self.clock.seconds += self.takes_seconds
        return self.found.pop(0)

    async def fetch(self) -> bool:
        return await self._proc_fetch_request(None, 1, None)

    @property
    def numbers(self) -> tuple[int, int]:
        return self._fetch_min_bytes, self._fetch_max_wait_ms


async def fetched(fetcher: Fetcher, clock: Clock, seconds: float) -> tuple[int, int]:
    """Return what the next fetch asks for, after one that took so long."""
    fetcher.clock, fetcher.takes_seconds = clock, seconds
    await fetcher.fetch()
    return fetcher.numbers


async def test_after_a_fetch_that_found_nothing_the_next_one_waits_for_the_first_record() -> None:
    fetcher, clock = Fetcher(False, False, True), Clock()
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300, clock=clock)
    assert fetcher.numbers == (1, 40)
    seen = [await fetched(fetcher, clock, 0.04) for _ in range(3)]
    assert seen == [(1, 300), (1, 300), (1, 40)]


async def test_after_a_quiet_time_some_fetches_end_with_the_first_record_and_then_they_gather() -> None:
    fetcher, clock = Fetcher(*[True] * (BURST + 3)), Clock()
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300, clock=clock)
    assert [await fetched(fetcher, clock, 0) for _ in range(BURST)] == [(1, 40)] * BURST
    assert await fetched(fetcher, clock, 0) == (10_000, 40)
    assert await fetched(fetcher, clock, 0.04) == (10_000, 40), "one wake-up in 40 ms"
    assert await fetched(fetcher, clock, 0.01) == (10_000, 40), "a fetch full early leaves no debt"


async def test_a_process_that_is_not_woken_more_often_than_it_may_be_never_waits() -> None:
    fetcher, clock = Fetcher(*[True] * 200), Clock()
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300, clock=clock)
    assert {await fetched(fetcher, clock, 0.041) for _ in range(200)} == {(1, 40)}


async def test_time_in_which_a_process_works_between_its_fetches_is_no_rest() -> None:
    fetcher, clock = Fetcher(*[True] * 100), Clock()
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300, clock=clock)
    asked = []
    for _ in range(BURST + 50):
        asked.append(await fetched(fetcher, clock, fetcher.numbers[1] / 1000 if fetcher.numbers[0] > 1 else 0))
        clock.seconds += 0.05
    assert asked[BURST:] == [(10_000, 40)] * 50


async def test_an_answer_that_is_seen_late_on_a_busy_machine_is_no_rest() -> None:
    fetcher, clock = Fetcher(*[True] * 100), Clock()
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300, clock=clock)
    for _ in range(BURST + 1):
        await fetched(fetcher, clock, 0)
    assert {await fetched(fetcher, clock, 0.5) for _ in range(50)} == {(10_000, 40)}


@pytest.mark.parametrize("every_ms", [0.5, 3.0, 11.0, 39.0])
async def test_the_wake_ups_of_a_minute_are_as_many_as_if_each_had_waited(every_ms: float) -> None:
    """Records that come evenly: a fetch ends with the first one after it may."""
    clock = Clock()
    fetcher = Fetcher(*[True] * 10_000)
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300, clock=clock)
    end, wakes = clock.seconds + 60, 0
    while clock.seconds < end:
        min_bytes, wait_ms = fetcher.numbers
        await fetched(fetcher, clock, (wait_ms if min_bytes > 1 else every_ms) / 1000)
        wakes += 1
    assert wakes <= BURST + 60_000 / 40 + 1


async def test_the_rest_of_a_burst_is_waited_for_in_part() -> None:
    fetcher, clock = Fetcher(*[True] * 20), Clock()
    gather(fetcher, min_bytes=10_000, wait_ms=40, idle_ms=300, clock=clock)
    for _ in range(BURST):
        await fetched(fetcher, clock, 0)
    assert await fetched(fetcher, clock, 0.02) == (10_000, 20), "the record was waited for as well"


@pytest.mark.parametrize("idle_ms", [0, 50])
async def test_without_a_longer_wait_an_idle_process_asks_as_often_as_a_busy_one(idle_ms: int) -> None:
    fetcher, clock = Fetcher(False), Clock()
    gather(fetcher, min_bytes=65_536, wait_ms=50, idle_ms=idle_ms, clock=clock)
    assert await fetched(fetcher, clock, 0.05) == (1, 50)


async def test_without_a_wait_nothing_gathers() -> None:
    fetcher, clock = Fetcher(*[True] * 50), Clock()
    gather(fetcher, min_bytes=65_536, wait_ms=0, idle_ms=250, clock=clock)
    assert {await fetched(fetcher, clock, 0) for _ in range(50)} == {(1, 0)}


async def test_what_is_urgent_does_not_gather() -> None:
    fetcher, urgent, clock = Fetcher(*[True] * 20), [True], Clock()
    gather(fetcher, min_bytes=65_536, wait_ms=50, idle_ms=300, is_urgent=lambda: bool(urgent), clock=clock)
    for _ in range(BURST + 1):
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
    fetcher = Fetcher(True)

    async def started(_thread: object) -> None:
        pass

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", started)
    monkeypatch.setattr(thread, "_ensure_consumer", lambda: SimpleNamespace(_fetcher=fetcher))
    monkeypatch.setattr(thread, "_watch_tasks", lambda consumer: None)
    monkeypatch.setattr(thread.app.pulse, "watch", lambda what, loop: None)  # the pulse ends a process without a loop
    await thread.on_start()
    assert fetcher.numbers == (1, 56)
    monkeypatch.setattr(WakeUps, "count", lambda self, has_woken, waited_ms: 56 * has_woken)
    await fetcher.fetch()
    assert fetcher.numbers == (1_234, 56)
    fetcher.found = [False]
    await fetcher.fetch()
    assert fetcher.numbers == (1, 78)


def test_aiokafka_makes_its_requests_from_these_numbers() -> None:
    """A new version that reads them at its start alone would turn this off in silence."""
    text = inspect.getsource(AiokafkaFetcher._get_actions_per_node)
    assert "self._fetch_max_wait_ms" in text
    assert "self._fetch_min_bytes" in text
    assert "FetchRequest(" in text
    assert "self._proc_fetch_request(" in inspect.getsource(AiokafkaFetcher._fetch_requests_routine)
