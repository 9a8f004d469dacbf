"""How far the workers are behind the log: the records of each topic that a role has not committed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from app.kafka.address import kafka_options
from app.kafka.topics import group_of
from app.roles import ROLES
from app.settings import Settings
from domain.errors import LogUnavailable

log = logging.getLogger(__name__)

_REQUEST_TIMEOUT_MS = 3_000

# (role, topic) → records
Lag = Mapping[tuple[str, str], int]


class LagReader(Protocol):
    """The lag of all roles."""

    async def read(self) -> Lag:
        """Return the lag now. Raises ``LogUnavailable``."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class KafkaLag:
    """``LagReader`` on Kafka; it connects at the first call, and again after an error."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: tuple[Any, Any] | None = None

    async def read(self) -> Lag:
        """Return the lag now."""
        try:
            admin, consumer = await self._connected()
            lag: Counter[tuple[str, str]] = Counter()
            for role in ROLES:
                committed = await admin.list_consumer_group_offsets(group_of(role, self._settings.topic_prefix))
                offsets = {tp: found.offset for tp, found in committed.items() if found.offset >= 0}
                ends = await consumer.end_offsets(list(offsets)) if offsets else {}
                for tp, end in ends.items():
                    lag[role, tp.topic] += max(0, end - offsets[tp])
            return lag
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise LogUnavailable(f"the lag cannot be read: {error!r}") from error

    async def close(self) -> None:
        """Disconnect."""
        clients, self._clients = self._clients or (), None
        for client, end in zip(clients, ("close", "stop"), strict=False):
            try:
                await getattr(client, end)()
            except (KafkaError, OSError) as error:
                log.info("a connection for the lag ended badly: %r", error)

    async def _connected(self) -> tuple[Any, Any]:
        if self._clients is None:
            kafka = {**kafka_options(self._settings), "request_timeout_ms": _REQUEST_TIMEOUT_MS}
            admin, consumer = AIOKafkaAdminClient(**kafka), AIOKafkaConsumer(**kafka, enable_auto_commit=False)
            self._clients = admin, consumer
            await admin.start()
            await consumer.start()
        return self._clients
