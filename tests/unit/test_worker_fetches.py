"""A worker's fetches: records gather while there are some; an idle worker asks seldom, and a lone record waits for
nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.faust.poll_loop import gather_when_busy
from app.settings import Settings


class Fetcher:
    """The numbers that aiokafka reads for each request, and answers: whether a fetch found something."""

    _fetch_min_bytes = 65_536
    _fetch_max_wait_ms = 50

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        return self.answers.pop(0)

    @property
    def numbers(self) -> tuple[int, int]:
        return self._fetch_min_bytes, self._fetch_max_wait_ms


async def test_after_a_fetch_that_found_nothing_the_next_one_waits_for_the_first_record() -> None:
    fetcher = Fetcher(True, False, False, True)
    gather_when_busy(fetcher, Settings(fetch_min_bytes=10_000, fetch_wait_ms=40, fetch_idle_ms=300))
    seen = []
    for found in tuple(fetcher.answers):
        assert await fetcher._proc_fetch_request(None, 1, None) is found
        seen.append(fetcher.numbers)
    assert seen == [(10_000, 40), (1, 300), (1, 300), (10_000, 40)]


@pytest.mark.parametrize("idle_ms", [0, 50])
async def test_without_a_longer_wait_records_always_gather(idle_ms: int) -> None:
    fetcher = Fetcher(False, False)
    gather_when_busy(fetcher, Settings(fetch_wait_ms=50, fetch_idle_ms=idle_ms))
    await fetcher._proc_fetch_request(None, 1, None)
    assert fetcher.numbers == (65_536, 50)


def test_aiokafka_makes_its_requests_from_these_numbers() -> None:
    """A new version that reads them at its start alone would turn this off in silence."""
    import inspect

    from aiokafka.consumer.fetcher import Fetcher as Real

    text = inspect.getsource(Real._get_actions_per_node)
    assert "self._fetch_max_wait_ms" in text
    assert "self._fetch_min_bytes" in text
    assert "self._proc_fetch_request(" in inspect.getsource(Real._fetch_requests_routine)
