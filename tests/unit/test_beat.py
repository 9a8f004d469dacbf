"""Departures in common: at once after a quiet time, together with the others in a busy one."""

from __future__ import annotations

import asyncio

from app.kafka.beat import Beat


async def test_after_a_quiet_time_nothing_waits() -> None:
    beat = Beat(60.0)
    async with asyncio.timeout(1):
        await beat.turn()


async def test_those_that_come_after_a_departure_go_together_when_the_time_is_over() -> None:
    loop, beat = asyncio.get_running_loop(), Beat(0.05)
    await beat.turn()
    began = loop.time()
    left: list[float] = []

    async def go() -> None:
        await beat.turn()
        left.append(loop.time() - began)

    await asyncio.gather(go(), go(), go())
    assert min(left) >= 0.04
    assert max(left) - min(left) < 0.02, "they went in one turn of the loop"


async def test_without_a_time_nothing_waits() -> None:
    beat = Beat(0.0)
    async with asyncio.timeout(1):
        for _ in range(1_000):
            await beat.turn()
