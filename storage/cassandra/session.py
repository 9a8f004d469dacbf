"""The connection to Cassandra as the adapters see it: there when it can be, refusing at once when it is not."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from cassandra.query import SimpleStatement

from domain.errors import StoreUnavailable
from storage.cassandra.driver_logs import quieten
from storage.cassandra.driver_session import Access, CassandraConfig, DriverSession, open_cluster
from storage.cassandra.errors import describe, translate

log = logging.getLogger(__name__)

Rows = list[Any]

_FIRST_RETRY_SECONDS = 0.25
_LAST_RETRY_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_CALL_SLACK = 1.25
# Creating a table waits for all nodes to agree: seconds, not milliseconds.
_SCHEMA_TIMEOUT_SECONDS = 30.0


class CassandraSession:
    """Keeps a ``DriverSession`` open on the running event loop, for as long as ``start`` … ``close``.

    While there is none, every call raises ``StoreUnavailable`` at once; only calls made during the very first
    attempt to connect wait for it, up to ``timeout_seconds``.
    """

    def __init__(self, config: CassandraConfig) -> None:
        self.config = config
        self._driver: DriverSession | None = None
        self._reason = "not started"
        self._tried = asyncio.Event()
        self._connected = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="cassandra")

    def start(self) -> None:
        """Begin to connect, in the background, on the running event loop. Never fails."""
        if self._keeper is None:
            quieten()
            self._reason = "the first connection is being made"
            self._keeper = asyncio.create_task(self._keep_connected(), name="cassandra-keeper")

    async def close(self) -> None:
        """End all connections and threads. Calls made afterwards raise ``StoreUnavailable``."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        self._reason = "closed"
        self._tried.set()
        self._threads.shutdown(wait=False)

    async def __aenter__(self) -> CassandraSession:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connected(self, timeout_seconds: float) -> None:
        """Return once connected. Raises ``StoreUnavailable`` after the time-out."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._connected.wait()
        except TimeoutError:
            raise StoreUnavailable(f"no connection to Cassandra in {timeout_seconds:g} s: {self._reason}") from None

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Bound a call of several statements. Raises ``StoreUnavailable`` when its time is over."""
        seconds = self.config.timeout_seconds * _CALL_SLACK
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise StoreUnavailable(f"Cassandra did not answer in {seconds:g} s") from None

    async def driver(self) -> DriverSession:
        """Return the open driver session. Raises ``StoreUnavailable`` if there is none."""
        if not self._tried.is_set() and self._keeper is not None:
            await self._tried.wait()
        if self._driver is None:
            raise StoreUnavailable(f"no connection to Cassandra: {self._reason}")
        return self._driver

    async def run(self, cql: str, values: Sequence[Any], access: Access) -> Rows:
        """Run one prepared statement (``{ks}`` stands for the keyspace) and return its first page of rows.

        READ rows are tuples in the order selected; CONDITIONAL rows are dicts with ``[applied]``. Raises
        ``StoreUnavailable`` within the configured time.
        """
        async with self.deadline():
            driver = await self.driver()
            statement = await driver.prepare(cql, access)
            return await self.submit(driver, statement.bind(values), access)

    async def submit(self, driver: DriverSession, statement: Any, access: Access) -> Rows:
        """Run a bound statement or a batch on the driver session it was prepared on. Raises ``StoreUnavailable``."""
        try:
            return await driver.submit(statement, access) or []
        except Exception as error:
            raise translate(error) from error

    async def change(self, cql: str) -> None:
        """Run a statement of the schema. Raises ``StoreUnavailable``.

        Always on the same node: two nodes with concurrent changes do not see each other's.
        """
        driver = await self.driver()
        hosts = [host for host in driver.cluster.metadata.all_hosts() if host.is_up]
        host: Any = min(hosts, key=lambda known: str(known.endpoint), default=None)
        statement = SimpleStatement(cql.replace("{ks}", self.config.keyspace))
        try:
            await driver.submit(statement, Access.CONDITIONAL, _SCHEMA_TIMEOUT_SECONDS, host)
        except Exception as error:
            raise translate(error) from error

    async def ping(self) -> None:
        """Return if Cassandra answers. Raises ``StoreUnavailable`` within the configured time."""
        await self.run("SELECT key FROM system.local WHERE key = 'local'", (), Access.READ)

    async def _keep_connected(self) -> None:
        while True:
            driver = await self._connect()
            try:
                self._driver = driver
                self._tried.set()
                self._connected.set()
                log.info("connected to Cassandra at %s:%d", ",".join(self.config.hosts), self.config.port)
                await self._until_lost(driver)
            finally:
                self._driver = None
                self._connected.clear()
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, driver.shut))

    async def _connect(self) -> DriverSession:
        pause = _FIRST_RETRY_SECONDS
        while True:
            attempt = self._threads.submit(open_cluster, self.config)
            try:
                cluster, session = await asyncio.wrap_future(attempt)
                return DriverSession(self.config, cluster, session, self._threads)
            except asyncio.CancelledError:
                attempt.add_done_callback(_discard)  # a thread cannot be interrupted
                raise
            except Exception as error:  # noqa: BLE001 (after any error the next attempt may succeed)
                if self._reason != (reason := describe(error)):
                    log.warning("cannot connect to Cassandra, trying on: %s", reason)
                self._reason = reason
                self._tried.set()
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, _LAST_RETRY_SECONDS)

    async def _until_lost(self, driver: DriverSession) -> None:
        """Return when no host has been connected for ``renew_after_seconds``.

        The driver reconnects by itself, but only to addresses resolved at its start: a new driver asks the DNS again.
        """
        clock = asyncio.get_running_loop().time
        last_up, was_up = clock(), True
        while clock() - last_up < self.config.renew_after_seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            if is_up := driver.is_up:
                last_up = clock()
            if is_up != was_up:
                log.log(*((logging.INFO, "Cassandra is back") if is_up else (logging.WARNING, "Cassandra is away")))
                was_up = is_up
        self._reason = "every host has been away for long; connecting anew"


def _discard(attempt: Future[tuple[Any, Any]]) -> None:
    """Close a cluster opened by an abandoned attempt to connect. Runs on the attempt's thread."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result()[0].shutdown()
