"""The Faust application of one role: our consumer, our tables, one batch producer, and a loud end at a fault."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from math import inf
from pathlib import Path
from typing import Any

import faust
from aiohttp.web import Request, Response, json_response
from faust.types import ServiceT

from app.faust.assignor import NamedAssignor
from app.faust.batches import BatchSchema
from app.faust.consumer import BatchTransport
from app.faust.durable_table import DurableTable
from app.faust.session_fence import SessionFence
from app.faust.stream_worker import StreamWorker
from app.faust.watchdog import Watchdog
from app.faust.worker_producer import BatchProducerService, WorkerBatchProducer
from app.garbage import freeze_objects
from app.impossible_times import ImpossibleTimes
from app.kafka.address import kafka_security, tls_context
from app.kafka.batch_producer import BatchProducer, WrongPartitions
from app.kafka.topics import Topics, TopicSpec, all_topics, group_of
from app.logs import logging_config
from app.metrics import Metrics
from app.pulse import Pulse
from app.roles import modules_of
from app.settings import Settings
from app.tracing import tracing_of
from domain.errors import LogUnavailable

log = logging.getLogger(__name__)

EXIT_FAILED = 70  # EX_SOFTWARE: the supervisor starts the worker again
DRAIN_SECONDS = 10.0
BUFFERED_BATCHES_PER_PARTITION = 10
BUFFERED_CHANGES = 4_096
YOUNG_OBJECTS = 20_000  # allocated before cycles are looked for: Python's 700 cost a tenth of a busy worker's time
# Of each partition of a table. Faust's defaults, 3 x 64 MiB of unwritten rows and a cache of 2 GiB each, let a worker
# grow to gigabytes. The filter has 10 bits a key, since most look-ups are of messages that are new.
ROCKSDB_OPTIONS = {
    "write_buffer_size": 4 * 2**20,
    "max_write_buffer_number": 2,
    "target_file_size_base": 16 * 2**20,
    "block_cache_size": 4 * 2**20,
    "bloom_filter_size": 10,
}


def _credentials(settings: Settings) -> Any:
    """Return the TLS and SASL settings of Faust's own clients, ``None`` for neither."""
    context = tls_context(settings)
    if settings.kafka_username:
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password,
            mechanism=settings.kafka_sasl,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context=context)


class StreamApp(faust.App):  # type: ignore[misc]
    """One role of the pipeline. Agents register themselves with ``register(app)`` (see ``app/roles.py``)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.role = settings.role
        self.names = Topics(settings.topic_prefix)
        self.session_fence = SessionFence(
            settings.session_timeout_seconds - settings.heartbeat_seconds,  # the last heartbeat may be one interval old
            lambda error: self.abort("the session fence", error),
        )
        self.batch_producer: BatchProducer = WorkerBatchProducer(
            self.session_fence,
            settings.kafka,
            client_id=group_of(settings.role, settings.topic_prefix),
            timeout_seconds=settings.produce_timeout_seconds,
            security=kafka_security(settings),
        )
        self.metrics = Metrics(settings.role)
        self.metrics.watch_disk(Path(settings.data_dir).absolute())
        self.tracing = tracing_of(settings, settings.role)
        self.impossible_times = ImpossibleTimes(self.metrics)
        self.pulse = Pulse()
        self.blocked_on: str | None = None  # a dependency whose absence explains why nothing moves
        self.progress = 0  # grows while something long is being worked on, such as a large file: that is no stall
        self.pre_start_services: list[ServiceT] = []  # started before the agents, stopped after them
        self.post_start_services: list[ServiceT] = []  # started after the agents, stopped before them
        self._drains: list[Callable[[], Awaitable[None]]] = []
        self._last_drain_ends_at = inf  # Faust asks twice at the end
        self._begins: list[Callable[[], None]] = []
        self._has_begun = False
        self.stalls: list[Callable[[], str | None]] = []
        super().__init__(group_of(settings.role, settings.topic_prefix), **self._options(settings))
        self.finalize()
        # a recovery hands over single records, for which stream_buffer_maxsize (it counts batches) is too small
        self.tables._changelog_queue = self.FlowControlQueue(maxsize=BUFFERED_CHANGES, clear_on_resume=True)
        self.register_agents()
        # bound methods: Faust passes the request alone
        for path, page in (("/metrics", self._metrics_page), ("/ready", self._ready_page)):
            self.page(path)(page)

    def register_agents(self) -> None:
        """Declare the agents and tables of the role. Raises ``ValueError`` naming the roles there are."""
        for module in modules_of(self.role):
            importlib.import_module(module).register(self)

    def required_topics(self) -> list[TopicSpec]:
        """Return the topics required on the broker before this worker starts."""
        return all_topics(self.settings)

    def _options(self, settings: Settings) -> dict[str, Any]:
        return {
            "broker": [f"kafka://{server}" for server in settings.kafka.split(",")],
            "broker_credentials": _credentials(settings),
            "store": "rocksdb://" if settings.store == "rocksdb" else "memory://",
            "datadir": f"{settings.data_dir}/{settings.topic_prefix}{settings.role}-{settings.instance or 'default'}",
            "origin": None,
            "autodiscover": False,
            "topic_partitions": settings.partitions,
            "topic_replication_factor": settings.replication_factor,
            "topic_disable_leader": True,
            "topic_allow_declare": False,
            "consumer_auto_offset_reset": "earliest",
            "consumer_group_instance_id": settings.instance or None,
            "broker_session_timeout": settings.session_timeout_seconds,
            "broker_heartbeat_interval": settings.heartbeat_seconds,
            "broker_commit_interval": settings.commit_interval_seconds,
            "broker_max_poll_records": settings.max_poll_records,
            "stream_buffer_maxsize": max(64, settings.partitions * BUFFERED_BATCHES_PER_PARTITION),
            "stream_wait_empty": True,
            "table_standby_replicas": settings.standby_replicas,
            "web_bind": settings.metrics_host,
            "web_host": "127.0.0.1",
            "worker_redirect_stdouts": False,
            "logging_config": logging_config(settings),
            "Table": DurableTable,
            "Worker": StreamWorker,
            "PartitionAssignor": NamedAssignor,
        }

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        core = super().on_init_dependencies()
        return [
            BatchProducerService(self),
            self.session_fence,
            *self.pre_start_services,
            *core,
            *self.post_start_services,
            Watchdog(self),
        ]

    def _create_directories(self) -> None:
        self.conf.datadir.mkdir(parents=True, exist_ok=True)  # Faust makes the last folder only
        super()._create_directories()

    # What agents and tables are made with --------------------------------------------------------------------------

    def batches_of(self, *topics: str) -> Any:
        """Return the Faust topic from which an agent receives ``RecordBatch`` values."""
        return self.topic(*topics, schema=BatchSchema(), partitions=self.settings.partitions)

    def durable_table(self, name: str, help: str) -> DurableTable:
        """Return a table of bytes to bytes with as many partitions as every topic has."""
        table: DurableTable = self.Table(
            name,
            key_type=bytes,
            value_type=bytes,
            partitions=self.settings.partitions,
            help=help,
            options=dict(ROCKSDB_OPTIONS) if self.settings.store == "rocksdb" else None,
        )
        table.batch_producer = self.batch_producer
        self.metrics.watch_table(name, table.row_count, table.memory_bytes)
        return table

    def batch_agent(self, name: str, *topics: str, help: str) -> Callable[..., Any]:
        """Declare an agent over batches. It never returns and never raises: either ends the worker."""

        def declare(work: Callable[[Any], Awaitable[None]]) -> Any:
            async def run(stream: Any) -> None:
                try:
                    await work(stream)
                except asyncio.CancelledError:
                    raise
                except BaseException as error:  # noqa: BLE001  an agent that raises would have its event acked
                    self.abort(f"agent {name}", error)

            run.__name__ = name
            return self.agent(self.batches_of(*topics), name=name)(run)

        return declare

    # Running -------------------------------------------------------------------------------------------------------

    def on_drain(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Register a coroutine of an agent. It finishes the agent's work in hand before the partitions are revoked."""
        self._drains.append(drain)

    def on_assigned(self, begin: Callable[[], None]) -> None:
        """Register a function of an agent, called once partitions are assigned and their tables recovered."""
        self._begins.append(begin)

    def assigned(self) -> None:
        """Let the agents begin their work on the assigned partitions."""
        if not self._has_begun:
            self._has_begun = True
            freeze_objects(YOUNG_OBJECTS)
        for begin in self._begins:
            begin()

    def watch(self, stall: Callable[[], str | None]) -> None:
        """Register a function for the watchdog: it returns what does not move although it could, if anything."""
        self.stalls.append(stall)

    async def drain(self) -> None:
        """Finish the work in hand, for at most ``DRAIN_SECONDS``. The rest is delivered again."""
        ends_at = asyncio.get_running_loop().time() + DRAIN_SECONDS
        if self.should_stop:
            ends_at = self._last_drain_ends_at = min(ends_at, self._last_drain_ends_at)
        try:
            async with asyncio.timeout_at(ends_at):
                await asyncio.gather(*(drain() for drain in self._drains))
                await self.batch_producer.flush()
        except TimeoutError:
            log.warning("the agents did not finish in %.0f s: their events will come again", DRAIN_SECONDS)

    def abort(self, what: str, error: BaseException) -> None:
        """End the process now and log the reason. Nothing is committed before it is durable, so nothing is lost."""
        if isinstance(error, LogUnavailable | WrongPartitions) or self.should_stop:
            log.critical("%s ended this worker: %s", what, error)
        else:
            log.critical("%s ended this worker", what, exc_info=error)
        logging.shutdown()
        sys.stderr.flush()
        os._exit(EXIT_FAILED)

    def _crash(self, reason: BaseException) -> None:
        """End the process when one of our services fails. Faust would first stop all others, and they may wait for
        ever.
        """
        if not self.should_stop:
            self.abort("a service", reason)
        super()._crash(reason)

    @property
    def is_at_work(self) -> bool:
        """Whether this worker consumes: it has its partitions, and their tables are as the changelogs say."""
        return self.rebalancing_count > 0 and not self.rebalancing and not self.should_stop

    async def _ready_page(self, request: Request) -> Response:
        """Return 200 while at work, else 503; with the partitions in the body."""
        held: dict[str, list[int]] = {}
        if self.is_at_work:
            for tp in sorted(self.consumer.assignment()):
                held.setdefault(tp.topic, []).append(tp.partition)
        body = {"status": "ready" if self.is_at_work else "starting", "role": self.role, "partitions": held}
        return json_response(body, status=200 if self.is_at_work else 503)

    async def _metrics_page(self, request: Request) -> Response:
        body, headers = self.metrics.render(request.headers.getall("Accept", []))
        return Response(body=body, headers=headers)
