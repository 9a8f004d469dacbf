"""What the places for traces cost a message while no collector is set, and with one.

python -m loadtests.tracing_cost

A message passes five batches (route, deliver, receipts, track_status, mirror), one call to a channel and one request.
Measured: the questions "is there a tracer" at all of these places, against an empty loop; and the spans themselves,
given to an exporter that drops them. Each figure is the best of several rounds, in microseconds of CPU a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import process_time_ns, time_ns
from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agents.traced_calls import in_its_trace
from app.tracing import TRACEPARENT, Tracing
from domain.outcomes import SendOutcome, Sent

MESSAGES = 20_000
ROUNDS = 7
RECORDS = 50  # of a batch
AGENTS = ("route", "deliver_whatsapp", "receipts_whatsapp", "track_status", "mirror")
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class _Dropped(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _batch() -> list[Any]:
    headers = ((TRACEPARENT, PARENT.encode()),)
    return [SimpleNamespace(headers=headers, topic="t", partition=0, offset=n) for n in range(RECORDS)]


def _batches(tracing: Tracing | None, records: list[Any]) -> None:
    """Do what ``Checkpoint`` does for traces, for one batch of each agent."""
    for agent in AGENTS:
        began_ns = 0 if tracing is None else time_ns()
        if tracing is not None:
            tracing.batch(agent, records, began_ns)


async def _call() -> SendOutcome:
    return Sent("p", 0)


async def _calls(tracing: Tracing | None, is_wrapped: bool) -> None:
    row = SimpleNamespace(headers=((TRACEPARENT, PARENT.encode()),), attempt=1)
    lane = SimpleNamespace(account=SimpleNamespace(name="default"))
    delivery: Any = SimpleNamespace(head=SimpleNamespace(row=row), lane=lane)
    for _ in range(MESSAGES):
        await (in_its_trace(tracing, delivery, "whatsapp", _call) if is_wrapped else _call())


def _best(work: Callable[[], None]) -> float:
    """Return microseconds of CPU a message."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = process_time_ns()
        work()
        best = min(best, (process_time_ns() - began) / MESSAGES / 1000)
    return best


def _all_batches(tracing: Tracing | None) -> None:
    records = _batch()
    for _ in range(MESSAGES // RECORDS):
        _batches(tracing, records)


def main() -> None:
    """Print the figures."""
    bare = _best(lambda: asyncio.run(_calls(None, False)))
    off = _best(lambda: _all_batches(None)) + _best(lambda: asyncio.run(_calls(None, True))) - bare
    tracing = Tracing(_Dropped(), "cost")
    on = _best(lambda: _all_batches(tracing)) + _best(lambda: asyncio.run(_calls(tracing, True))) - bare
    tracing.close()
    print(f"without a collector: {off:.3f} µs of CPU a message; with one: {on:.1f} µs")


if __name__ == "__main__":
    main()
