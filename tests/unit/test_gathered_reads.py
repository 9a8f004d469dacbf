"""Reads of many keys share requests; each caller gets its own value, or the error."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from domain.errors import StoreUnavailable
from storage.cassandra.gathered_reads import GatheredReads


class Table:
    """Answers ``<key>!``, when ``open`` is set; ``asked``: the keys of each request."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(keys))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return {key: f"{key}!" for key in keys}


async def test_a_lone_key_is_read_at_once_and_others_gather_meanwhile() -> None:
    table = Table()
    reads = GatheredReads(table.read)
    callers = [asyncio.create_task(reads.of(key)) for key in ("a", "b", "c", "b")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert table.asked == [["a"]]
    table.open.set()
    assert await asyncio.gather(*callers) == ["a!", "b!", "c!", "b!"]
    assert table.asked == [["a"], ["b", "c"]]


async def test_full_requests_leave_beside_the_first_up_to_a_bound() -> None:
    table = Table()
    reads = GatheredReads(table.read, most_keys=2, most_requests=3)
    callers = [asyncio.create_task(reads.of(str(n))) for n in range(9)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert table.asked == [["0"], ["1", "2"], ["3", "4"]]
    table.open.set()
    assert await asyncio.gather(*callers) == [f"{n}!" for n in range(9)]


async def test_an_error_goes_to_the_callers_of_its_request_and_the_next_key_is_read_anew() -> None:
    table = Table()
    table.open.set()
    table.error = StoreUnavailable("away")
    reads = GatheredReads(table.read)
    with pytest.raises(StoreUnavailable):
        await reads.of("a")
    table.error = None
    assert await reads.of("a") == "a!"


async def test_a_caller_that_gives_up_takes_no_answer_from_another() -> None:
    table = Table()
    reads = GatheredReads(table.read)
    first, second = asyncio.create_task(reads.of("a")), asyncio.create_task(reads.of("a"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    table.open.set()
    assert await second == "a!"
    assert first.cancelled()
