"""The members of the roles' consumer groups, as Kafka reports them: whether the workers have their partitions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.group import LeaveGroupRequest

from app.kafka.address import kafka_options
from app.kafka.topics import group_of
from app.settings import Settings
from cli.supervisor import ProcessSpec
from cli.workers import WORKER_STAGE, instance_of, is_left_over

log = logging.getLogger(__name__)

_REQUEST_TIMEOUT_MS = 5_000
_DISMISS_SECONDS = 3.0
_TAKEOVER_SECONDS = 2.0  # for so long the start of the successor waits at most


class Groups:
    """Some consumer groups of one Kafka. Made by ``open_groups``."""

    def __init__(self, admin: Any, names: Iterable[str]) -> None:
        self._admin = admin
        self._names = list(names)

    async def members(self) -> set[str]:
        """Return the ids of the members with partitions, in groups outside a rebalance.

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

    async def dismiss(self, is_gone: Callable[[str], bool], *, only_beside_others: bool = False) -> list[str]:
        """Take the members whose ids ``is_gone`` picks out of their groups, and return the ids of those that Kafka
        let go.

        ``only_beside_others``: from groups alone that have other members, too.

        A group waits for a member whose process is gone until its session is over, and its partitions stand still. An
        error of Kafka leaves them to that.
        """
        dismissed: list[str] = []
        try:
            for name in self._names:
                members = await self._all_members(name)
                gone = sorted(filter(is_gone, members))
                if only_beside_others and len(gone) == len(members):
                    continue
                if gone:
                    coordinator = await self._admin.find_coordinator(name)
                for member in gone:
                    # aiokafka knows the request that names a member by its id, which does for static members as well
                    answer = await self._admin._client.send(coordinator, LeaveGroupRequest(name, member))
                    if answer.error_code:
                        error = for_code(answer.error_code).__name__
                        log.warning("%s stays in %s until its session is over: %s", member, name, error)
                    else:
                        dismissed.append(member)
        except (KafkaError, OSError) as error:
            log.warning("members of an earlier life stay in their groups for a while: %r", error)
        return dismissed

    async def _all_members(self, name: str) -> set[str]:
        return {member[0] for answer in await self._describe(name) for group in answer.groups for member in group[5]}

    async def _describe(self, name: str) -> list[Any]:
        return list(await self._admin.describe_consumer_groups([name]))


class Takeovers:
    """Lets the other workers of a role take over from one that has ended, at once.

    Else its group waits for it until its session is over, or until it is back. The only member of a group stays one:
    nobody could take over, and it gets its partitions back without a rebalance. The successor has the same instance, so
    it must not start before ``after`` has returned: it would be the one taken out.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def after(self, spec: ProcessSpec) -> None:
        """Take the ended worker of ``spec`` out of its group, if that has other members. Gives up after 2 s."""
        if spec.stage == WORKER_STAGE and spec.environ.get("CHAT4ALL_INSTANCE"):
            await self._dismiss(spec)

    async def _dismiss(self, spec: ProcessSpec) -> None:
        name = group_of(spec.environ["CHAT4ALL_ROLE"], self._settings.topic_prefix)
        instance = spec.environ["CHAT4ALL_INSTANCE"]
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(_TAKEOVER_SECONDS), open_groups(self._settings, [name]) as groups:
                if await groups.dismiss(lambda member: instance_of(member) == instance, only_beside_others=True):
                    log.info("%s has left its group: others take over", spec.name)


async def dismiss_left_over(settings: Settings, specs: Sequence[ProcessSpec]) -> None:
    """Remove workers of an earlier run, unless ``specs`` has them, from their groups. Skipped if Kafka is slow."""
    groups_of_specs = {group_of(spec.environ["CHAT4ALL_ROLE"], settings.topic_prefix) for spec in specs}
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_DISMISS_SECONDS), open_groups(settings, groups_of_specs) as groups:
            for member in await groups.dismiss(lambda member: is_left_over(member, specs, settings)):
                log.info("%s of an earlier life has left its group", instance_of(member))


@asynccontextmanager
async def open_groups(settings: Settings, names: Iterable[str]) -> AsyncIterator[Groups]:
    """Connect. Raises ``KafkaError`` if Kafka is away."""
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        yield Groups(admin, names)
    finally:
        await admin.close()
