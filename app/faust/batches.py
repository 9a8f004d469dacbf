"""A batch of records rides through Faust as one event.

Faust spends about 80 µs on every event it carries through its conductor, queue and stream. Our consumer hands over
what one fetch brought of one partition as a single event, whose value is a ``RecordBatch``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import faust
from faust.types import TP


class RecordBatch:
    """Consecutive records of one partition, covering the offsets ``start`` ≤ offset < ``end`` without a hole.

    ``records`` are aiokafka's ``ConsumerRecord``; offsets that the broker no longer has are covered but not in it.
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
    """Hands the batch through undecoded: agents decode each record and know what to do with a bad one."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode
