"""Whether a message found in no view may still be written.

A message without a timely acknowledgement is answered 503 with its id. Its record may be written later: the producer
tries until the broker has decided. So "there is no such message" is not certain

* while this process has the record in flight,
* for ``UNSETTLED_SECONDS`` after the id was made, because another process may have it in flight, and
* for ``UNSETTLED_SECONDS`` after the log could not be read here, because processes may have records in flight then.
"""

from __future__ import annotations

from collections.abc import Callable

from domain.ids import made_at_ms
from domain.ports import MessageLog

UNSETTLED_SECONDS = 30.0


class Doubts:
    """The doubts of one process. ``clock_ms``: epoch milliseconds; ``monotonic``: seconds."""

    def __init__(self, log: MessageLog, clock_ms: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._log = log
        self._clock_ms = clock_ms
        self._monotonic = monotonic
        self._unavailable_at: float | None = None

    def log_was_unavailable(self) -> None:
        """Note a failure to read the log."""
        self._unavailable_at = self._monotonic()

    def may_come(self, message_id: str) -> bool:
        """Return whether a message missing in the log may still be written."""
        if self._log.is_pending(message_id):
            return True
        if self._unavailable_at is not None and self._monotonic() - self._unavailable_at < UNSETTLED_SECONDS:
            return True
        made_at = made_at_ms(message_id)
        return made_at is not None and abs(self._clock_ms() - made_at) < UNSETTLED_SECONDS * 1000
