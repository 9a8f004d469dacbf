"""Who is a member of the roles' consumer groups, as Kafka tells it: whether the workers have their partitions."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

_REQUEST_TIMEOUT_MS = 5_000


class Groups:
    """Some consumer groups of one Kafka. Made by ``open_groups``."""

    def __init__(self, admin: Any, names: Iterable[str]) -> None:
        self._admin = admin
        self._names = list(names)

    async def members(self) -> set[str]:
        """Return the ids of the members that were given partitions, in those groups that are not rebalancing.

        A static member's id begins with its instance id, and changes each time its process joins.
        """
        found: set[str] = set()
        try:
            # one at a time: aiokafka 0.14 reads the answer to version 3 as version 2, which is right for one group only
            answers = [answer for name in self._names for answer in await self._describe(name)]
        except (KafkaError, OSError) as error:  # until a group has its coordinator
            log.debug("no groups: %r", error)
            return found
        for answer in answers:
            for _error, _group, state, _type, _protocol, members, *_ in answer.groups:
                if state == "Stable":
                    found.update(member[0] for member in members if member[-1])
        return found

    async def _describe(self, name: str) -> list[Any]:
        return list(await self._admin.describe_consumer_groups([name]))


@asynccontextmanager
async def open_groups(kafka: str, names: Iterable[str]) -> AsyncIterator[Groups]:
    """Connect. Raises ``KafkaError`` if Kafka is away."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        yield Groups(admin, names)
    finally:
        await admin.close()
