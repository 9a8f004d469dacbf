"""Two repairs of aiokafka 0.14. Without them a client on uvloop may wait for ever after Kafka was killed (ADR 75).

A killed broker resets its connections. Until aiokafka's reading task learns of the reset, a write to the connection
raises ``OSError`` or nothing on asyncio's loop, and ``RuntimeError`` on uvloop. aiokafka expects ``OSError``. The
``RuntimeError`` silently ended the task that keeps the metadata up to date, and everything in need of new metadata
(the search for the group's coordinator, and with it heartbeats, commits and the end of a worker) waited for it for
ever. Seen in 1 of 12 kills; ``python -m loadtests.outages`` repeats them.

Importing this module is enough.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

log = logging.getLogger(__name__)


def _broken_is_broken(send: Any) -> Any:
    """Return ``send`` of a connection; on a closed transport it raises the error expected by aiokafka."""

    @functools.wraps(send)
    def repaired(self: AIOKafkaConnection, *args: Any, **options: Any) -> Any:
        try:
            return send(self, *args, **options)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self._host}:{self._port} broken: {error}") from error

    return repaired


def _never_raises(update: Any) -> Any:
    """Return ``_metadata_update`` of a client, with a failure for any error: the next attempt may succeed."""

    @functools.wraps(update)
    async def repaired(self: AIOKafkaClient, cluster_metadata: Any, topics: Any) -> bool:
        try:
            return bool(await update(self, cluster_metadata, topics))
        except Exception:
            log.exception("an update of Kafka's metadata failed")
            cluster_metadata.failed_update(None)
            return False

    return repaired


def _repair() -> None:
    for owner, name, repair in (
        (AIOKafkaConnection, "send", _broken_is_broken),
        (AIOKafkaConnection, "_send_sasl_token", _broken_is_broken),
        (AIOKafkaClient, "_metadata_update", _never_raises),
    ):
        setattr(owner, name, repair(getattr(owner, name)))


_repair()
