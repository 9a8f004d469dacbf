"""Measure the delay of the event loop while parts are hashed in a thread, and in the loop itself.

    python -m loadtests.files.hashing

512 MiB go through the API's own ``PartWriter`` into a store that keeps nothing, at 150 MiB/s, in chunks as they come
from a socket; meanwhile something wants to run each millisecond. The same once more with the hash in the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any, cast

import uvloop

from domain.files import PART_BYTES
from domain.ports import FileStore, Part
from loadtests.files.content import blocks
from loadtests.generator import percentile
from web.uploads.part_writer import HASH_THREADS, PartSlots, PartWriter, new_checksum

SIZE_BYTES = 512 << 20
CHUNK_BYTES = 128 << 10
BYTES_PER_SECOND = 150 << 20
TICK_SECONDS = 0.001


class _Here(Executor):
    """An executor running each call immediately, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class _Nowhere:
    """A store discarding all parts."""

    part_bytes = PART_BYTES

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        return Part(number, len(data), "")


async def lateness_ms(threads: Executor) -> list[float]:
    """Return how late each tick was, sorted, while a file went through."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            due = perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            late.append((perf_counter() - due) * 1000)

    async def begin() -> str:
        return "upload"

    store = cast("FileStore", _Nowhere())
    writer = PartWriter(store, "key", begin, PartSlots(), threads, checksum=new_checksum())
    ticking = asyncio.create_task(tick())
    due = perf_counter()
    for block in blocks(SIZE_BYTES):
        for start in range(0, len(block), CHUNK_BYTES):
            await writer.write(bytes(block[start : start + CHUNK_BYTES]))
            due += CHUNK_BYTES / BYTES_PER_SECOND
            await asyncio.sleep(max(0.0, due - perf_counter()))
    await writer.flush()
    ticking.cancel()
    return sorted(late)


def main() -> None:
    """Measure both and print them."""
    with ThreadPoolExecutor(HASH_THREADS) as threads:
        for name, executor in (("in a thread", threads), ("in the event loop", _Here())):
            late = uvloop.run(lateness_ms(executor))
            p50, p99 = percentile(late, 0.5), percentile(late, 0.99)
            print(
                f"hashed {name}: the event loop is late by {p50:.2f} ms (p50), {p99:.2f} ms (p99), "
                f"{late[-1]:.2f} ms at most; parts of {PART_BYTES >> 20} MiB"
            )


if __name__ == "__main__":
    main()
