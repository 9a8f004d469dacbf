"""A whole system of its own on a given Kafka and Cassandra: topics, schema, API, workers; for benchmarks and tests.

    async with System(system_settings(stack, folder), folder, {"core": 2, "whatsapp": 1}) as system:
        system.worker("core-1").kill()

Every process has a log file under the folder. A topic prefix and a keyspace of its own keep systems apart. All
processes end with this one, however it ends.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

from app.cassandra import cassandra_config
from app.kafka.topic_admin import ensure_topics
from app.settings import Settings
from cli.workers import api_specs, worker_specs
from devstack.ports import is_free, share
from loadtests.groups import Groups, until
from loadtests.http_client import Client
from loadtests.processes import Process
from storage.cassandra.schema import migrate
from storage.cassandra.session import CassandraSession

LOOPBACK = "127.0.0.1"
READY_SECONDS = 90.0
STOP_SECONDS = 20.0
PATIENT_SESSION_SECONDS = 30.0  # a busy machine suspends processes, and no supervisor starts them again here
SHIPPED_SESSION_SECONDS = Settings().session_timeout_seconds  # for who measures how another worker takes over
_PORTS = range(12_000, 20_000)  # below those that outgoing connections get
_returned_ports: deque[int] = deque(maxlen=400)  # a server may bind its port only later


class Servers(Protocol):
    """A ``devstack.Stack``, or servers already running."""

    @property
    def kafka_bootstrap(self) -> str: ...

    @property
    def cassandra_contact_points(self) -> list[str]: ...

    @property
    def cassandra_port(self) -> int: ...


def system_settings(servers: Servers, folder: Path, **changes: Any) -> Settings:
    """Return settings of a new system on ``servers``, without any simulated delay unless ``changes`` say otherwise."""
    name, port = uuid.uuid4().hex[:8], free_ports(17)
    standard: dict[str, Any] = {
        "kafka": servers.kafka_bootstrap,
        "cassandra": tuple(servers.cassandra_contact_points),
        "cassandra_port": servers.cassandra_port,
        "topic_prefix": f"run-{name}-",
        "keyspace": f"run_{name}",
        "data_dir": str(folder / "workers"),
        "files_dir": str(folder / "files"),
        "node": name,
        "accounts": os.devnull,  # not the accounts.toml of this folder: a load test must not reach people
        "port": port,
        "metrics_port": port + 1,  # and 15 more
        "jwt_secret": uuid.uuid4().hex * 2,
        "session_timeout_seconds": PATIENT_SESSION_SECONDS,
        "simulated_delivered_seconds": (0.0, 0.0),
        "simulated_read_seconds": (0.0, 0.0),
        "log_format": "text",
        "ledger_url": "",  # a program that wants a ledger starts its own
    }
    return replace(Settings(), **{**standard, **changes})


def free_ports(count: int) -> int:
    """Return the first of ``count`` free neighbouring ports, none of them among the last that were returned here."""
    while True:
        first = random.choice(share(_PORTS)[:-count])
        ports = range(first, first + count)
        if not any(port in _returned_ports for port in ports) and all(is_free(LOOPBACK, port) for port in ports):
            _returned_ports.extend(ports)
            return first


class Ended(Exception):
    """A process of the system ended by itself."""


class System:
    """``workers``: number by role. ``changes``: environment variables by role."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        workers: Mapping[str, int],
        *,
        api_processes: int = 1,
        changes: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.settings = settings
        self.counts = dict(workers)
        folder.mkdir(parents=True, exist_ok=True)
        specs = worker_specs(settings, workers)
        for role, environ in (changes or {}).items():
            for n, spec in enumerate(specs):
                if spec.name.startswith(f"{role}-"):
                    specs[n] = replace(spec, environ={**spec.environ, **environ})
        self.apis = [Process(spec, folder) for spec in api_specs(settings, api_processes)]
        self.workers: Sequence[Process] = [Process(spec, folder) for spec in specs]

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def stages(self) -> tuple[Sequence[Process], ...]:
        """The processes started here, in the order of their stop."""
        return self.workers, self.apis

    @property
    def processes(self) -> list[Process]:
        """All processes started here."""
        return [process for stage in self.stages for process in stage]

    def worker(self, name: str) -> Process:
        """Return the worker named ``<role>-<number>``."""
        return next(process for process in self.workers if process.name == name)

    def of_role(self, role: str) -> list[Process]:
        return [process for process in self.workers if process.name.rpartition("-")[0] == role]

    def client(self, token: str = "") -> Client:
        """Return a client of the API."""
        return Client(self.settings.host, self.settings.port, token)

    async def prepare(self) -> None:
        """Make the topics and the schema."""
        await ensure_topics(self.settings)
        async with CassandraSession(cassandra_config(self.settings)) as session:
            await session.connected(30)
            await migrate(session, replication_factor=self.settings.cassandra_replication_factor)

    async def start(self) -> None:
        """Start everything; return when the API is ready and the workers hold all their partitions."""
        await self.prepare()
        for process in self.processes:
            process.start()
        await self.ready()

    async def revive(self) -> None:
        """Restart killed processes; return when everything is ready."""
        for process in self.processes:
            if not process.is_running:
                process.start()
        await self.ready()

    async def ready(self) -> None:
        """Raises ``NotInTime`` if the API or a role is not ready within ``READY_SECONDS``, ``Ended`` if one died."""
        await until("the API is ready", READY_SECONDS, self._api_is_ready)
        async with Groups.connected(self.settings) as groups:

            async def is_complete(role: str) -> bool:
                self._check_alive()
                return await groups.is_complete(role, self.counts[role])

            for role, count in self.counts.items():
                await until(f"{count} x {role} hold their partitions", READY_SECONDS, partial(is_complete, role))

    async def _api_is_ready(self) -> bool:
        self._check_alive()
        return (await self.client().ask("GET", "/health/ready")).status == 200

    def _check_alive(self) -> None:
        for process in self.processes:
            if not process.is_running:
                raise Ended(f"{process.name} has ended; its last words:\n{process.log_text()[-2_000:]}")

    async def stop(self) -> None:
        """End all processes, workers first."""
        for stage in self.stages:
            for process in stage:
                process.send(signal.SIGTERM)
            loop = asyncio.get_running_loop()
            deadline = loop.time() + STOP_SECONDS
            for process in stage:
                await asyncio.to_thread(process.end, deadline - loop.time())

    def sends(self) -> dict[str, int]:
        """Return how often the simulated channels were handed a message, by recipient, as their logs tell."""
        counts: dict[str, int] = {}
        for file in {process.log_file for process in self.workers if process.log_file.exists()}:
            with file.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    _, mark, address = line.rstrip().partition("] Delivered to ")
                    if mark:
                        counts[address] = counts.get(address, 0) + 1
        return counts
