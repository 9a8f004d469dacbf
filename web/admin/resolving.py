"""Redrive or discard letters.

A redrive has three steps, each durable before the next: a resolution claims the letters, the commands are written, a
second record reports the commands as durable. A claim without its second record after ``RESUME_MS`` belongs to a dead
process. The next redrive of the letter writes the same command again, under the same id.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from app.kafka.codec import encode
from app.kafka.topics import Topics
from domain.errors import Conflict
from domain.records import DeadLetterResolved
from web.admin.letters import StoredLetter
from web.admin.record_log import RecordLog, RecordReader
from web.admin.redrive import Order, Redrive, Redrives
from web.admin.resolutions import REDRIVEN, Resolution, Resolutions

RESUME_MS = 30_000  # longer than a request takes, with a time-out for each of its steps
FORGOTTEN = "whether this letter was resolved before is not in memory any more; again resolves it all the same"


@dataclass(slots=True)
class Resolved:
    """The letters of a request by outcome, in the order of the log.

    ``already``: they keep the resolution of an earlier request. ``under_way``: another request works on them.
    ``refused``: with the reasons. ``claims``: the letters of ``resolved`` without a resolution of their own yet.
    ``redrives``: the record to write for each letter of ``resolved``, by id.
    """

    resolved: list[StoredLetter] = field(default_factory=list)
    already: list[StoredLetter] = field(default_factory=list)
    under_way: list[StoredLetter] = field(default_factory=list)
    refused: list[tuple[StoredLetter, str]] = field(default_factory=list)
    claims: list[StoredLetter] = field(default_factory=list)
    redrives: dict[str, Redrive] = field(default_factory=dict)


class Resolving:
    """Resolves letters. ``clock_ms``: epoch milliseconds."""

    def __init__(
        self, log: RecordLog, topics: Topics, resolutions: Resolutions, redrives: Redrives, clock_ms: Callable[[], int]
    ) -> None:
        self._log = log
        self._topic = topics.dead_letter_resolutions
        self._resolutions = resolutions
        self._redrives = redrives
        self._clock_ms = clock_ms

    async def resolve(
        self,
        reader: RecordReader,
        letters: Sequence[StoredLetter],
        action: str,
        order: Order,
        *,
        dry_run: bool = False,
    ) -> Resolved:
        """Resolve the letters; return them by outcome. The resolutions must have caught up before.

        Raises ``LogUnavailable``; a repetition goes on where this one ended.
        """
        result = Resolved()
        for stored in letters:
            self._sort(stored, action, order, result)
        if dry_run:
            return result
        if result.claims:
            await self._claim(reader, action, order, result)
        if action == REDRIVEN:
            await self._carry_out(result, order)
        return result

    def _sort(self, stored: StoredLetter, action: str, order: Order, result: Resolved) -> None:
        current = self._of(stored)
        is_begun = current is not None and not current.is_done
        if is_begun and self._clock_ms() - current.logged_at_ms < RESUME_MS:  # type: ignore[union-attr]
            result.under_way.append(stored)
            return
        resumes = is_begun and action == REDRIVEN and not order.again
        if current is not None and not order.again and not resumes:
            result.already.append(stored)
            return
        if not order.again and self._resolutions.is_forgotten(stored.partition, stored.offset):
            result.refused.append((stored, FORGOTTEN))
            return
        if action == REDRIVEN:
            try:
                result.redrives[stored.letter_id] = self._redrives.plan(stored, order, self._clock_ms())
            except Conflict as error:
                result.refused.append((stored, str(error)))
                return
        result.resolved.append(stored)
        if not resumes:
            result.claims.append(stored)

    async def _claim(self, reader: RecordReader, action: str, order: Order, result: Resolved) -> None:
        """Write the resolutions; move letters claimed meanwhile by another process out of ``resolved``."""
        groups: defaultdict[tuple[int, str], list[StoredLetter]] = defaultdict(list)
        for stored in result.claims:
            current = self._of(stored)
            groups[stored.partition, "" if current is None else current.resolution_id].append(stored)
        claims, ours = [], set()
        for (partition, supersedes), group in groups.items():
            resolution_id, offsets = str(uuid.uuid4()), tuple(stored.offset for stored in group)
            ours.add(resolution_id)
            claims.append(
                (
                    partition,
                    DeadLetterResolved(
                        action, resolution_id, offsets, order.by, self._clock_ms(), order.reason, supersedes
                    ),
                )
            )
        await self._write(claims)
        await self._resolutions.catch_up(reader)
        lost: set[str] = set()
        for stored in result.claims:
            winner = self._of(stored)
            if winner is None or winner.resolution_id not in ours:
                lost.add(stored.letter_id)
                (result.under_way if winner is None or not winner.is_done else result.already).append(stored)
        result.resolved = [stored for stored in result.resolved if stored.letter_id not in lost]

    async def _carry_out(self, result: Resolved, order: Order) -> None:
        """Write the commands in the order of the log, then the second records of their resolutions."""
        writes = []
        done: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for stored in result.resolved:
            resolution, redrive = self._of(stored), result.redrives[stored.letter_id]
            assert resolution is not None
            value = redrive.record(stored, resolution.resolution_id, order, resolution.at_ms)
            writes.append(self._log.write(redrive.topic, stored.letter.partition, stored.letter.key, value))
            done[stored.partition, resolution.resolution_id].append(stored.offset)
        await asyncio.gather(*writes)  # each begins in the order given, and so they are on their partition
        await self._write(
            (
                partition,
                DeadLetterResolved(REDRIVEN, resolution_id, tuple(offsets), order.by, self._clock_ms(), is_done=True),
            )
            for (partition, resolution_id), offsets in done.items()
        )
        for stored in result.resolved:
            if (resolution := self._of(stored)) is not None:
                resolution.is_done = True

    async def _write(self, records: Iterable[tuple[int, DeadLetterResolved]]) -> None:
        await asyncio.gather(
            *(self._log.write(self._topic, partition, None, encode(record)) for partition, record in records)
        )

    def _of(self, stored: StoredLetter) -> Resolution | None:
        return self._resolutions.of(stored.partition, stored.offset)
