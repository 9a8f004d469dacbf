"""Workers and the simulated provider on a Kafka, without an API and Cassandra: for scenarios of deliveries."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from app.kafka.partitions import partition_for
from app.kafka.topic_admin import ensure_topics
from loadtests.feed import Order
from loadtests.groups import Groups, until
from loadtests.processes import Process
from loadtests.provider import ProviderProcess, write_accounts
from loadtests.system import Servers, System, free_ports, system_settings

_MIB = 2**20
_ADDRESS = {"whatsapp": "+55119{:08d}", "instagram": "@person.{}", "telegram": "{}"}


class ChannelSystem(System):
    """``accounts``: channel → its accounts, as in accounts.toml. ``changes``: settings."""

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        workers: Mapping[str, int],
        accounts: Mapping[str, Sequence[Mapping[str, Any]]],
        **changes: Any,
    ) -> None:
        file = folder / "accounts.toml"
        settings = system_settings(servers, folder, accounts=str(file), **changes)
        super().__init__(settings, folder, workers, api_processes=0)
        self.provider = ProviderProcess(settings, folder, free_ports(1))
        write_accounts(file, self.provider.url, accounts)

    async def prepare(self) -> None:
        """Make the topics, and start the provider."""
        await ensure_topics(self.settings)
        await self.provider.start()

    async def _api_is_ready(self) -> bool:
        return True

    async def stop(self) -> None:
        """End all processes, the provider last."""
        try:
            await super().stop()
        finally:
            self.provider.end()

    async def caught_up(self, role: str, seconds: float) -> None:
        """Wait until the role has committed all records of its topics. Raises ``NotInTime``."""
        async with Groups.connected(self.settings) as groups:

            async def is_done() -> bool:
                return await groups.lag(role) == 0

            await until(f"{role} has read all", seconds, is_done)

    async def taken_all(self, message_ids: Collection[str], seconds: float = 60.0) -> None:
        """Wait until the provider took each of the messages. Raises ``NotInTime``."""

        async def has_all() -> bool:
            return set(message_ids) <= {each.token for each in await self.provider.taken()}

        await until(f"the provider took {len(message_ids)} messages", seconds, has_all)

    async def complete(self, role: str, seconds: float) -> None:
        """Wait until the role's workers hold all partitions. Raises ``NotInTime``."""
        async with Groups.connected(self.settings) as groups:
            await until(f"{role} is complete", seconds, partial(groups.is_complete, role, self.counts[role]))


def resident_mib(process: Process) -> float:
    """Return the resident memory of a process in MiB; 0 if it has ended."""
    try:
        return float(psutil.Process(process.pid).memory_info().rss) / _MIB
    except psutil.Error:
        return 0.0


def orders_on(channel: str, conversations: int, account: str = "", name: str = "") -> Iterator[Order]:
    """Yield messages for ever, the conversations taking turns; each conversation has one address."""
    name = name or f"{channel}-{uuid.uuid4().hex[:6]}"
    for number in itertools.count():
        one = number % conversations
        yield Order(
            str(uuid.uuid4()),
            f"{name}-{one}",
            f"{channel}:{_ADDRESS[channel].format(1_000 + one)}",
            account,
            number // conversations + 1,
        )


def conversation_on(partition: int, partitions: int, name: str) -> str:
    """Return a conversation's id that lies on ``partition``."""
    names = (f"{name}-{number}" for number in itertools.count())
    return next(each for each in names if partition_for(each.encode(), partitions) == partition)
