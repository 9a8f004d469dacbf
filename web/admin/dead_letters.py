"""Dead letters: list, show, redrive and discard them. The letters are read from their topic; there is no other store.

A resolution is a record, too (``web/admin/resolutions.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from aiohttp import web

from app.kafka.topics import Topics
from domain.errors import Conflict, NotFound
from web.admin.letters import LetterFilter, StoredLetter, position_of, stored_letter
from web.admin.record_log import Ranges, RecordLog, RecordReader
from web.admin.redrive import Order, Redrives
from web.admin.resolutions import DISCARDED, REDRIVEN, Resolution, Resolutions
from web.admin.resolving import RESUME_MS, Resolved, Resolving
from web.errors import Locked

SCANNED_RECORDS = 5_000  # of one request
SCANNED_BYTES = 32 * 1024 * 1024
SET_LETTERS = 500  # resolved by one request

OPEN = "open"


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Letters with their resolutions. ``rest``: where the next page begins, ``None`` at the end of the log."""

    letters: Sequence[tuple[StoredLetter, Resolution | None]]
    rest: Ranges | None


class DeadLetters:
    """The front of dead letters. Every method may raise ``LogUnavailable``."""

    def __init__(
        self,
        *,
        log: RecordLog,
        topics: Topics,
        partitions: int,
        outcome_ms: int,
        clock_ms: Callable[[], int],
    ) -> None:
        self._log = log
        self._topics = topics
        self._resolutions = Resolutions(topics.dead_letter_resolutions, partitions)
        self._resolving = Resolving(log, topics, self._resolutions, Redrives(topics, outcome_ms), clock_ms)

    async def page(
        self, wanted: LetterFilter, *, state: str | None = None, rest: Ranges | None = None, limit: int
    ) -> LetterPage:
        """Return up to ``limit`` letters, the oldest first; fewer if ``SCANNED_RECORDS`` are read before.

        ``state``: "open", "redriven" or "discarded". ``rest``: of the page before.
        """
        async with self._log.reading() as reader:
            await self._resolutions.catch_up(reader)
            return await self._scan(reader, wanted, state, rest, limit)

    async def show(self, letter_id: str) -> tuple[StoredLetter, Resolution | None]:
        """Return a letter and its resolution. Raises ``NotFound``."""
        async with self._log.reading() as reader:
            await self._resolutions.catch_up(reader)
            stored = await self._letter(reader, letter_id)
        return stored, self._resolution(stored)

    async def redrive(self, letter_id: str, order: Order) -> tuple[StoredLetter, Resolution | None]:
        """Send a letter's record again; a letter with a resolution stays as it is, unless ``order.again``.

        Raises ``NotFound``, ``Conflict`` if it cannot be redriven, ``Locked`` while another process is at it.
        """
        return await self._resolve_one(letter_id, REDRIVEN, order)

    async def discard(self, letter_id: str, order: Order) -> tuple[StoredLetter, Resolution | None]:
        """Resolve a letter without writing a command. As ``redrive``."""
        return await self._resolve_one(letter_id, DISCARDED, order)

    async def resolve_page(
        self, wanted: LetterFilter, action: str, order: Order, *, rest: Ranges | None, dry_run: bool
    ) -> tuple[Resolved, Ranges | None]:
        """Redrive or discard up to ``SET_LETTERS`` of the wanted letters, in the order of the log.

        With ``dry_run`` nothing is written, and the answer is a forecast. Also returns the ranges of the next page,
        ``None`` at the end. Later letters are no part of the set.
        """
        async with self._log.reading() as reader:
            await self._resolutions.catch_up(reader)
            page = await self._scan(reader, wanted, None, rest, SET_LETTERS)
            letters = [stored for stored, _ in page.letters]
            result = await self._resolving.resolve(reader, letters, action, order, dry_run=dry_run)
        return result, page.rest

    async def _resolve_one(self, letter_id: str, action: str, order: Order) -> tuple[StoredLetter, Resolution | None]:
        async with self._log.reading() as reader:
            await self._resolutions.catch_up(reader)
            stored = await self._letter(reader, letter_id)
            result = await self._resolving.resolve(reader, [stored], action, order)
        if result.refused:
            raise Conflict(result.refused[0][1])
        if result.under_way:
            raise Locked("another request redrives this letter; ask again", RESUME_MS // 1000)
        return stored, self._resolution(stored)

    async def _letter(self, reader: RecordReader, letter_id: str) -> StoredLetter:
        position = position_of(letter_id)
        if position is not None:
            partition, offset = position
            first, stop = (await reader.ranges(self._topics.dead_letters)).get(partition, (0, 0))
            if first <= offset < stop:
                one = {partition: (offset, offset + 1)}
                async with aclosing(reader.read(self._topics.dead_letters, one)) as records:
                    async for record in records:
                        return stored_letter(record)
        raise NotFound(f"there is no dead letter {letter_id!r:.80} (any more)")

    async def _scan(
        self, reader: RecordReader, wanted: LetterFilter, state: str | None, rest: Ranges | None, limit: int
    ) -> LetterPage:
        ranges = await reader.ranges(self._topics.dead_letters, wanted.since_ms, wanted.until_ms)
        if rest is not None:  # what retention has removed since then is gone, what was appended since then is not meant
            firsts = {n: max(first, rest[n][0]) for n, (first, _) in ranges.items() if n in rest}
            ranges = {n: (first, max(first, min(ranges[n][1], rest[n][1]))) for n, first in firsts.items()}
        positions = {n: first for n, (first, _) in ranges.items()}
        letters: list[tuple[StoredLetter, Resolution | None]] = []
        count = size_bytes = 0
        async with aclosing(reader.read(self._topics.dead_letters, ranges)) as records:
            async for record in records:
                positions[record.partition] = record.offset + 1
                count, size_bytes = count + 1, size_bytes + len(record.value or b"")
                stored = stored_letter(record)
                resolution = self._resolution(stored)
                if wanted.matches(stored, self._topics.prefix) and state in (None, state_of(resolution)):
                    letters.append((stored, resolution))
                if len(letters) >= limit or count >= SCANNED_RECORDS or size_bytes >= SCANNED_BYTES:
                    break
        left = {n: (positions[n], stop) for n, (_, stop) in ranges.items() if positions[n] < stop}
        return LetterPage(letters, left or None)

    def _resolution(self, stored: StoredLetter) -> Resolution | None:
        return self._resolutions.of(stored.partition, stored.offset)


def state_of(resolution: Resolution | None) -> str:
    """Return "open", "redriven" or "discarded"."""
    return OPEN if resolution is None else resolution.action


DEAD_LETTERS = web.AppKey("dead_letters", DeadLetters)
