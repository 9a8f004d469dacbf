"""The balance of `chat4all ledger`, read from its metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping

import aiohttp

SECONDS = 1.0
MOST_BYTES = 100_000
DIFFERENCE, DELIVERIES, AGE = "difference", "deliveries", "age_seconds"
_LINE = re.compile(
    rf"^chat4all_ledger_({DIFFERENCE}|{AGE}|{DELIVERIES})(?:\{{[^}}]*?state=\"(\w+)\"[^}}]*\}}|\{{[^}}]*\}})? (\S+)$",
    re.M,
)

# "difference", "age_seconds", and the deliveries by state
Balance = Mapping[str, float]


def balance_in(text: str) -> Balance | None:
    """Return the balance in an exposition of Prometheus, ``None`` if there is none."""
    found = {state or name: float(value) for name, state, value in _LINE.findall(text)}
    return found if DIFFERENCE in found else None


async def read_balance(url: str) -> Balance | None:
    """Return the balance that the process at ``url`` shows, ``None`` if it does not answer."""
    if not url:
        return None
    try:
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            return balance_in((await answer.content.read(MOST_BYTES)).decode("utf-8", "replace"))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
