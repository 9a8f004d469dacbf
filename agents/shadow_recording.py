"""Recordings of messages with what became of them: one JSON object a line. Pure.

{"at_ms":1732312312345,"offset":7,"message":{"type":"MessageAccepted",…},"outcomes":[{"address":…,"channel":…}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from agents.shadow_run import Change, Outcome, ShadowRun, changes, recorded
from app.kafka.codec import decode, encode
from domain.errors import InvalidInput
from domain.ports import LogPosition
from domain.records import MessageAccepted

MOST_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message, its position, and its outcomes by the code that recorded it."""

    message: MessageAccepted
    position: LogPosition
    outcomes: tuple[Outcome, ...]


def line_of(message: MessageAccepted, position: LogPosition, outcomes: Sequence[Outcome]) -> bytes:
    """Return the line of one message."""
    document = {
        "at_ms": position.accepted_at_ms,
        "offset": position.offset,
        "message": orjson.loads(encode(message)),
        "outcomes": [recorded(one) for one in outcomes],
    }
    return orjson.dumps(document) + b"\n"


def read(lines: Iterable[bytes]) -> Iterator[Recorded]:
    """Yield the messages of a recording. Raises ``InvalidInput`` with the number of the line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            if len(line) > MOST_LINE_BYTES:
                raise ValueError(f"more than {MOST_LINE_BYTES:,} bytes")
            document = orjson.loads(line)
            message = decode(orjson.dumps(document["message"]), MessageAccepted)
            position = LogPosition(int(document["at_ms"]), int(document["offset"]))
            outcomes = tuple(Outcome(**one) for one in document["outcomes"])
        except (ValueError, TypeError, KeyError, InvalidInput) as error:
            raise InvalidInput(f"line {number} of the recording cannot be read: {error!r:.200}", "recording") from None
        yield Recorded(message, position, outcomes)


async def compared(lines: Iterable[bytes]) -> tuple[list[Change], list[bytes]]:
    """Run a recording again; return the changes, and its lines with today's outcomes."""
    run = ShadowRun()
    found: list[Change] = []
    anew: list[bytes] = []
    for one in read(lines):
        today = await run.outcomes(one.message, one.position)
        found += changes(one.message.message_id, one.outcomes, today)
        anew.append(line_of(one.message, one.position, today))
    return found, anew
