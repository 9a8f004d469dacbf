"""How records gather at the broker before a fetch is answered (ADR 78, ADR 104, ADR 136).

While many fetches find something, each waits until records have gathered. The first ones after a quiet time end with
the first record, so a message that comes alone waits at none of its hops, and an idle process asks seldom.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import Any

BURST = 10  # fetches that need not wait after a quiet time: a message, three webhooks and their events are 8


class WakeUps:
    """How long the next fetch has to wait for more than its first record, so that ``wait_ms`` is kept on average.

    A process may wake up once in ``wait_ms``. What it left unused in a quiet time it may use later, ``BURST`` at most.
    """

    def __init__(self, wait_ms: int) -> None:
        self._wait_ms = wait_ms
        self._unused = float(BURST)

    def count(self, has_woken: bool, waited_ms: float) -> int:
        """Count a fetch that was answered after ``waited_ms``. Return for how long the next one has to gather, 0 for
        not at all. The time between two fetches does not count: a process that works then is no idle one.
        """
        if self._wait_ms <= 0:
            return 0
        unused = min(BURST, self._unused + waited_ms / self._wait_ms) - has_woken
        self._unused = max(-1.0, unused)  # a flood leaves no debt behind
        return ceil(max(0.0, -self._unused) * self._wait_ms)


def gather(
    fetcher: Any,
    *,
    min_bytes: int,
    wait_ms: int,
    idle_ms: int,
    is_urgent: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Set what each fetch of ``fetcher`` (of aiokafka) asks for by what those before found.

    A fetch waits for ``min_bytes`` only while more than one in ``wait_ms`` found something, and so long that it is one;
    ``idle_ms`` is how long the first record is waited for after a fetch that found nothing, if it is longer than
    ``wait_ms``. While ``is_urgent()``, a fetch ends with the first record. ``clock`` returns seconds.

    aiokafka reads the two numbers when it makes a request and has no public name for them
    (``tests/unit/test_worker_fetches.py``). The brokers of a cluster share them.
    """
    fetch = fetcher._proc_fetch_request
    wake_ups = WakeUps(wait_ms)

    def choose(has_found: bool, waited_ms: float) -> None:
        gather_ms = wake_ups.count(has_found, waited_ms)
        is_idle = not has_found and idle_ms > wait_ms
        fetcher._fetch_min_bytes = 1 if is_idle or not gather_ms or is_urgent() else min_bytes
        fetcher._fetch_max_wait_ms = idle_ms if is_idle else gather_ms or wait_ms

    async def fetch_and_choose(assignment: Any, node_id: Any, request: Any) -> bool:
        began, asked_ms = clock(), fetcher._fetch_max_wait_ms
        has_found = bool(await fetch(assignment, node_id, request))
        choose(has_found, min((clock() - began) * 1000, asked_ms))  # an answer may be seen late
        return has_found

    fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = 1, wait_ms
    fetcher._proc_fetch_request = fetch_and_choose
