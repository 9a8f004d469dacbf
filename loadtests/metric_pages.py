"""The pages of metrics that processes of a load test show."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from loadtests.http_client import Client

LOOPBACK = "127.0.0.1"
_ASK_SECONDS = 1.0

Sample = Mapping[str, float]


def series_of(text: str) -> dict[str, float]:
    """Return a page of metrics as value by series, with the labels in the name."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def total(sample: Sample, name: str, *labels: str) -> float:
    """Return the sum of the series called ``name`` whose labels contain each of ``labels``."""
    return sum(
        value
        for series, value in sample.items()
        if series.partition("{")[0] == name and all(label in series for label in labels)
    )


async def page(port: int) -> Sample | None:
    """Return what the process on ``port`` shows, ``None`` if it does not answer."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            answer = await Client(LOOPBACK, port).ask("GET", "/metrics")
    except TimeoutError:
        return None
    return series_of(answer.body.decode()) if answer.status == 200 else None
