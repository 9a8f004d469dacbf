"""The real parts of the matrix: servers, a system of two workers a role and two API processes, a provider, a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.settings import Settings
from devstack import Stack
from devstack.part import Part
from loadtests.faults.kept import KeptSystem
from loadtests.faults.orders import orders_on_all
from loadtests.faults.proxy import Proxy
from loadtests.orders import Orders
from loadtests.processes import Process
from loadtests.provider import ProviderProcess, write_accounts
from loadtests.run import Run
from loadtests.system import SHIPPED_SESSION_SECONDS, Servers, free_ports, system_settings

CHANNEL = "whatsapp"
WORKERS = {"core": 2, "mirror": 1, CHANNEL: 2}
ACCOUNT = {"name": "main", "breaker": {"open_seconds": 1, "longest_open_seconds": 4}}
EVIDENCE_SECONDS = 4.0
SEND_SECONDS = 3.0
UPLOAD_HOLD_SECONDS = 2.0


@dataclass(slots=True)
class World:
    """``cassandra``: the proxy that the system reaches Cassandra through. ``stack``: servers that a row may stop.

    ``run``, ``orders``: of the row at hand. ``folder``: for its files.
    """

    servers: Servers
    stack: Stack | None
    system: KeptSystem
    provider: ProviderProcess
    cassandra: Proxy
    folder: Path
    audited: Settings  # past the proxy
    run: Run | None = None
    orders: list[Orders] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.system.settings

    def part(self, name: str) -> Part:
        """Return a server that the rows may stop."""
        assert self.stack is not None, "these servers are others' too"
        return self.stack.part(name)

    def worker(self, name: str) -> Process:
        return self.system.worker(name)

    @property
    def load(self) -> Run:
        """The load of the row at hand."""
        assert self.run is not None
        return self.run

    def more_orders(self) -> Orders:
        """Return orders that the row's ledger and the comparison with the provider cover."""
        made = orders_on_all(self.settings.partitions)
        self.orders.append(made)
        return made


@asynccontextmanager
async def world(servers: Servers, stack: Stack | None, folder: Path, seed: int, **changes: Any) -> AsyncIterator[World]:
    """Yield a running world; at its end everything of it is stopped, but the servers."""
    async with AsyncExitStack() as parts:
        proxy = await parts.enter_async_context(Proxy(servers.cassandra_port, seed))
        accounts = folder / "accounts.toml"
        given: dict[str, Any] = {
            "accounts": str(accounts),
            "cassandra_port": proxy.port,
            "evidence_seconds": EVIDENCE_SECONDS,
            "send_seconds": SEND_SECONDS,
            "upload_hold_seconds": UPLOAD_HOLD_SECONDS,
            "session_timeout_seconds": SHIPPED_SESSION_SECONDS,
            "worker_nice": 1,  # the harness is nicer than that
            **changes,
        }
        if stack is not None and stack.part("minio").process is not None:
            keys = {"s3_access_key": stack.config.minio_user, "s3_secret_key": stack.config.minio_password}
            given |= {"files": "s3", "s3_url": stack.minio_url, **keys}
        settings = system_settings(servers, folder, **given)
        provider = ProviderProcess(settings, folder, free_ports(1), seed=seed)
        write_accounts(accounts, provider.url, {CHANNEL: [ACCOUNT]})
        system = KeptSystem(settings, folder, WORKERS, folder / "faults")
        parts.callback(provider.end)
        await system.prepare()
        await provider.start()
        await parts.enter_async_context(system)
        audited = replace(settings, cassandra_port=servers.cassandra_port, cassandra_timeout_seconds=30.0)
        yield World(servers, stack, system, provider, proxy, folder, audited)
