"""Whether the tailer reads on while the log has records that callers wait for."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

LONGEST_SECONDS = 15.0  # three times the client's own time-out of a request
_NOTE_SECONDS = 5.0  # between two warnings that reading is late


class Standstill:
    """Notes callers who waited for records in vain. A client whose fetching has ended brings none, and no error."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._noted_until = 0.0

    def waited(self, ends: Mapping[TopicPartition, int], positions: Mapping[TopicPartition, int], now: float) -> None:
        """Note that a caller's time was over before ``positions`` reached ``ends``."""
        if self._since is None:
            self._since = now
        if now >= self._noted_until:
            self._noted_until = now + _NOTE_SECONDS
            unread = sum(max(0, end - positions.get(tp, 0)) for tp, end in ends.items())
            log.warning("callers wait for %d records of the log", unread)

    def went_on(self) -> None:
        """Note that records came."""
        self._since = None

    def check(self, now: float) -> None:
        """Raise ``KafkaError`` if none have come for ``LONGEST_SECONDS`` since a caller waited in vain."""
        if self._since is not None and now - self._since > LONGEST_SECONDS:
            self._since = None
            raise KafkaError(f"the log has records, and none came for {LONGEST_SECONDS:g} s")
