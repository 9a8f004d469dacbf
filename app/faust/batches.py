"""Carries a batch of records through Faust as one event.

Faust spends about 80 µs on every event in its conductor, queue and stream. Our consumer delivers the records of one
partition from one fetch as a single event, whose value is a ``RecordBatch``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import faust
from faust.types import TP


class RecordBatch:
    """Consecutive records of one partition, covering the offsets ``start`` ≤ offset < ``end`` without a hole.

    ``records`` are aiokafka's ``ConsumerRecord``. Offsets removed from the broker are covered but have no record.
    ``epoch`` is the consumer's at delivery: after a seek, a batch delivered before it must not be completed.
    """

    __slots__ = ("end", "epoch", "records", "start", "tp")

    def __init__(self, tp: TP, records: Sequence[Any], start: int, end: int, epoch: int) -> None:
        self.tp = tp
        self.records = records
        self.start = start
        self.end = end
        self.epoch = epoch

    @property
    def partition(self) -> int:
        return int(self.tp.partition)

    def __repr__(self) -> str:
        return f"<RecordBatch {self.tp.topic}[{self.tp.partition}] {self.start}..{self.end}>"


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Delivers the batch undecoded: agents decode each record and dead-letter a malformed one."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode
