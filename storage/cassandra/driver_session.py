"""One connected driver: the cluster, its session, and its prepared statements."""

from __future__ import annotations

import asyncio
import re
import ssl
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cassandra import ConsistencyLevel, DependencyException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import dict_factory, tuple_factory

from storage.cassandra.errors import translate
from storage.cassandra.loop_bridge import LoopBridge

_PROTOCOL_VERSION = 5  # Cassandra 4.0 and later; saves trying DataStax's own versions first
_RECONNECT_SECONDS = 1.0
_HEARTBEAT_SECONDS = 5.0
_SPECULATE_AFTER_SECONDS = 0.25
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True)
class CassandraConfig:
    """Where Cassandra is and how to talk to it.

    ``timeout_seconds`` bounds each request, retries included, and (with a quarter more) each call of an adapter.
    After ``renew_after_seconds`` without any host a new driver is made. An empty ``local_datacenter`` means the
    datacenter of the first host to answer. ``tls``: ``None``: in the clear. ``tls_name``: the name that every node's
    certificate must have; empty: the node's address, since the driver knows nodes by that alone.

    Raises ``ValueError`` for an unknown consistency level or a keyspace name
    in need of quotes.
    """

    hosts: tuple[str, ...] = ("127.0.0.1",)
    port: int = 9042
    keyspace: str = "chat4all"
    consistency: str = "LOCAL_QUORUM"
    timeout_seconds: float = 2.0
    connect_timeout_seconds: float = 5.0
    renew_after_seconds: float = 15.0
    local_datacenter: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None
    tls_name: str = ""

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.keyspace):
            raise ValueError(f"keyspace {self.keyspace!r}: expected at most 48 of a-z, 0-9 and _")
        if self.consistency not in ConsistencyLevel.name_to_value:
            raise ValueError(f"consistency {self.consistency!r}: expected one like LOCAL_QUORUM")


class Access(StrEnum):
    """How a statement accesses rows. Only a statement without harm in repetition is sent twice."""

    READ = "read"  # retried on another host, also before the first has answered
    WRITE = "write"  # commutes and may be repeated: retried on another host
    CONDITIONAL = "conditional"  # a lightweight transaction: sent once; rows are dicts


class DriverSession:
    """A connected driver session. Made by ``open_driver_session``; used on one event loop; ends with ``shut``."""

    def __init__(self, config: CassandraConfig, cluster: Any, session: Any, threads: Executor) -> None:
        self.config = config
        self.cluster = cluster
        self._session = session
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._bridge = LoopBridge(self._loop)
        self._prepared: dict[tuple[str, Access], asyncio.Future[Any]] = {}

    @property
    def is_up(self) -> bool:
        """Whether any host has an open connection."""
        return any(not pool.is_shutdown for pool in tuple(self._session.get_pools()))

    async def prepare(self, cql: str, access: Access) -> Any:
        """Return ``cql`` (with ``{ks}`` for the keyspace) prepared; the driver prepares it on further hosts itself.

        Raises ``StoreUnavailable``.
        """
        known = self._prepared.get((cql, access))
        try:
            if known is None or _has_failed(known):
                text = cql.replace("{ks}", self.config.keyspace)
                known = self._loop.run_in_executor(self._threads, self._session.prepare, text)
                known.add_done_callback(_has_failed)  # looks at the error even if every waiter gave up
                self._prepared[cql, access] = known
            statement = known.result() if known.done() else await asyncio.shield(known)
        except Exception as error:
            raise translate(error) from error
        statement.is_idempotent = access is not Access.CONDITIONAL
        return statement

    def submit(self, statement: Any, access: Access, timeout_seconds: float | None = None, host: Any = None) -> Any:
        """Send a bound statement or batch; return the future of its first page of rows (``None`` for a write).

        The future raises the driver's own errors, for ``translate``.
        """
        future = self._loop.create_future()
        timeout = self.config.timeout_seconds if timeout_seconds is None else timeout_seconds
        # the profile of writes is the driver's default one: it takes no name of its own
        profile = EXEC_PROFILE_DEFAULT if access is Access.WRITE else access
        try:
            response = self._session.execute_async(statement, execution_profile=profile, timeout=timeout, host=host)
        except Exception as error:  # noqa: BLE001 (the driver is being shut down, or the values do not fit)
            future.set_exception(error)
            return future
        response.add_callbacks(
            self._bridge.succeeded, self._bridge.failed, callback_args=(future,), errback_args=(future,)
        )
        return future

    def shut(self) -> None:
        """Close all connections. Blocks for up to some seconds: call it on a thread."""
        self.cluster.shutdown()


def _has_failed(preparation: asyncio.Future[Any]) -> bool:
    return preparation.done() and (preparation.cancelled() or preparation.exception() is not None)


def open_cluster(config: CassandraConfig) -> tuple[Any, Any]:
    """Connect and return the driver's cluster and session. Blocks: call it on a thread. Raises the driver's errors."""
    cluster = Cluster(
        contact_points=list(config.hosts),
        port=config.port,
        auth_provider=PlainTextAuthProvider(config.username, config.password) if config.username else None,
        ssl_context=config.tls,
        ssl_options={"server_hostname": config.tls_name} if config.tls_name else None,
        execution_profiles={
            EXEC_PROFILE_DEFAULT: _profile(config, RetryPolicy()),
            Access.READ: _profile(
                config,
                RetryPolicy(),
                speculative_execution_policy=ConstantSpeculativeExecutionPolicy(_SPECULATE_AFTER_SECONDS, 1),
            ),
            Access.CONDITIONAL: _profile(config, FallthroughRetryPolicy(), row_factory=dict_factory),
        },
        reconnection_policy=ConstantReconnectionPolicy(_RECONNECT_SECONDS, max_attempts=None),
        connection_class=_reactor(),
        connect_timeout=config.connect_timeout_seconds,
        control_connection_timeout=config.timeout_seconds,
        idle_heartbeat_interval=_HEARTBEAT_SECONDS,
        idle_heartbeat_timeout=_HEARTBEAT_SECONDS,
        protocol_version=_PROTOCOL_VERSION,
        compression=False,
        monitor_reporting_enabled=False,
        application_name="chat4all",
    )
    try:
        session: Session = cluster.connect()
    except Exception:
        cluster.shutdown()
        raise
    # `prepare` takes no time-out of its own, and the public setter refuses beside execution profiles
    session._default_timeout = config.timeout_seconds
    return cluster, session


def _profile(config: CassandraConfig, retry_policy: Any, **more: Any) -> Any:
    # reads stay in one datacenter, so transactions are decided in the same one
    serial = ConsistencyLevel.LOCAL_SERIAL if config.consistency.startswith("LOCAL_") else ConsistencyLevel.SERIAL
    options = {
        "load_balancing_policy": TokenAwarePolicy(DCAwareRoundRobinPolicy(config.local_datacenter)),
        "retry_policy": retry_policy,
        "consistency_level": ConsistencyLevel.name_to_value[config.consistency],
        "serial_consistency_level": serial,
        "request_timeout": config.timeout_seconds,
        "row_factory": tuple_factory,
    }
    return ExecutionProfile(**(options | more))


def _reactor() -> Any:
    """Return libev's connection class where the wheel has it: the fastest one; else the driver's own choice."""
    try:
        from cassandra.io.libevreactor import LibevConnection
    except DependencyException:
        return None
    return LibevConnection
