"""Moments as people write them: ``10m`` ago, ``2026-11-28T14:03``, epoch milliseconds. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from domain.errors import InvalidInput

_AGO = re.compile(r"(\d{1,9})(s|m|h|d)", re.ASCII)
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_EPOCH_MS = re.compile(r"\d{12,14}", re.ASCII)


def moment_ms(text: str, now_ms: int) -> int:
    """Return the moment named by ``text`` in epoch milliseconds.

    A number with a unit (s, m, h, d) is so long before ``now_ms``. A time without an offset is UTC. Raises
    ``InvalidInput``.
    """
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        return now_ms - int(ago[1]) * _UNIT_MS[ago[2]]
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text[:40]!r} is no time: expected 10m, 2h, 3d, an ISO 8601 time such as 2026-11-28T14:03, or epoch "
            "milliseconds",
            "time",
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
