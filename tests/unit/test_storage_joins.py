"""Addresses that join conversations are written together, and each caller is told what became of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cassandra.query import SimpleStatement

from domain.errors import StoreUnavailable
from storage.cassandra.joins import MOST_ROWS, MOST_WAITING, Joins


class Session:
    """A session whose batches are written when the test lets them."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go_on = asyncio.Event()
        self.failure: Exception | None = None

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        yield

    async def link(self) -> Any:
        return self

    async def prepare(self, cql: str, kind: object) -> Any:
        return self

    def bind(self, row: tuple[Any, ...]) -> SimpleStatement:
        return SimpleStatement("INSERT")

    async def submit(self, link: Any, batch: Any, kind: object) -> None:
        self.sizes.append(len(batch._statements_and_parameters))
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure


def begun(joins: Joins, count: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(joins.write("c-1", f"telegram:{n}", 1)) for n in range(count)]


async def test_what_comes_while_a_batch_is_on_its_way_goes_with_the_next_one() -> None:
    session = Session()
    joins = Joins(session)  # type: ignore[arg-type]
    tasks = begun(joins, 1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += begun(joins, MOST_ROWS + 3)
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    session.go_on.set()
    await asyncio.gather(*tasks)
    assert session.sizes == [1, MOST_ROWS, 3]
    await joins.write("c-1", "telegram:5", 1)
    assert session.sizes[3:] == [1]


async def test_a_failure_is_told_to_those_in_the_batch_and_what_comes_later_is_tried() -> None:
    session = Session()
    session.go_on.set()
    session.failure = StoreUnavailable("away")
    joins = Joins(session)  # type: ignore[arg-type]
    answers = await asyncio.gather(*begun(joins, 3), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    session.failure = None
    await joins.write("c-1", "telegram:5", 1)


async def test_so_many_wait_and_no_more() -> None:
    session = Session()
    joins = Joins(session)  # type: ignore[arg-type]
    tasks = begun(joins, MOST_WAITING)
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await joins.write("c-1", "telegram:5", 1)
    session.go_on.set()
    await asyncio.gather(*tasks)
