"""Tells the channel's other workers that an account must not send.

Its login is refused, it broke a rule of the channel, or the channel named a pause.

A worker finds out by a call. Without this each of them would make such calls, and some providers ban who insists.
"""

from __future__ import annotations

import logging
import uuid
from time import monotonic
from typing import TYPE_CHECKING

from app.clock import now_ms
from app.kafka.codec import encode
from domain.breaker import LONGEST_WAIT_SECONDS
from domain.records import ChannelCommand

if TYPE_CHECKING:
    from app.faust.stream_app import StreamApp

log = logging.getLogger(__name__)

OTHERS_LONGER_SECONDS = (
    5.0  # the worker that found out is the one that tries again; if in vain, it tells the others anew
)
REPEATED_SECONDS = 10.0  # an account's calls in flight end one after the other, with the same answer


class Holds:
    """Writes the command ``hold`` to each partition of ``<channel>-commands``. Nothing waits for it.

    ``name``: of this worker in its commands, which it passes over when it reads them.
    """

    def __init__(self, app: StreamApp, channel: str) -> None:
        self._app = app
        self._topic = app.names.commands(channel)
        self.name = f"{app.settings.instance or app.role} {uuid.uuid4()}"
        self._told: dict[str, float] = {}

    def tell(self, account: str, seconds: float, reason: str) -> None:
        """Hold the account in all workers for ``seconds``, at most a day."""
        now = monotonic()
        if now - self._told.get(account, -REPEATED_SECONDS) < REPEATED_SECONDS:
            return
        self._told[account] = now
        log.error("account %s of %s sends nothing for %d s: %s", account, self._app.role, seconds, reason)
        at_ms = now_ms()
        until_ms = at_ms + int((min(seconds, LONGEST_WAIT_SECONDS) + OTHERS_LONGER_SECONDS) * 1000)
        command = ChannelCommand(
            "hold", str(uuid.uuid4()), account, by=self.name, at_ms=at_ms, reason=reason, until_ms=until_ms
        )
        for partition in range(self._app.settings.partitions):
            self._app.batch_producer.enqueue(self._topic, partition, account.encode(), encode(command))
