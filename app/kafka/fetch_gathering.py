"""How records gather at the broker before a fetch is answered (ADR 78, ADR 104).

While records come, a fetch waits until many have gathered. After a fetch that found nothing, the next one waits longer
and ends with the first record, so a lone message is not delayed and an idle process asks seldom.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def gather(
    fetcher: Any, *, min_bytes: int, wait_ms: int, idle_ms: int, is_urgent: Callable[[], bool] = lambda: False
) -> None:
    """Set what each fetch of ``fetcher`` (of aiokafka) asks for by what the one before found.

    ``min_bytes`` and ``wait_ms`` hold while records come; ``idle_ms`` after a fetch that found nothing, if it is longer
    than ``wait_ms``. While ``is_urgent()``, a fetch ends with the first record. aiokafka reads the two numbers when it
    makes a request and has no public name for them (``tests/unit/test_worker_fetches.py``).
    """
    fetch = fetcher._proc_fetch_request

    def choose(has_found: bool) -> None:
        is_busy = has_found or idle_ms <= wait_ms
        fetcher._fetch_min_bytes = min_bytes if is_busy and not is_urgent() else 1
        fetcher._fetch_max_wait_ms = wait_ms if is_busy else idle_ms

    async def fetch_and_choose(assignment: Any, node_id: Any, request: Any) -> bool:
        has_found = bool(await fetch(assignment, node_id, request))
        choose(has_found)
        return has_found

    choose(has_found=True)
    fetcher._proc_fetch_request = fetch_and_choose
