"""`chat4all run`: the whole system on this machine, from nothing to ready and back."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from app.kafka.topics import group_of
from app.logs import TextFormatter
from app.settings import Settings
from chat4all import Client
from chat4all.cli.api_address import local_url
from cli.another_log import ends_of_messages, refuse_another_log
from cli.groups import Groups, Takeovers, open_groups
from cli.migration import migrate_schema, migrate_topics
from cli.readable import Screen, fresh, keep_short
from cli.simulated_accounts import with_simulated_accounts
from cli.summary import summary
from cli.supervisor import ProcessSpec, ShutdownSignals, Supervisor
from cli.workers import (
    LOOPBACK,
    WORKER_STAGE,
    api_specs,
    check_ports,
    claimed,
    counts_of,
    instance_of,
    is_at_work,
    is_left_over,
    ledger_specs,
    port_of,
    simulator_spec,
    worker_specs,
)
from devstack import Stack, StackConfig
from devstack.progress import Cancellation, Progress
from devstack.progress_line import ProgressLine

log = logging.getLogger(__name__)

LOGS = Path(".chat4all/logs")
MIGRATION_SECONDS = 120.0
READY_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_TRIM_SECONDS = 5.0


def run_everything(
    settings: Settings, api_processes: int, counts: Mapping[str, int], simulator_port: int | None = None
) -> int:
    """Start the system, follow its logs until Ctrl-C, stop all processes started here, and return the exit code.

    ``simulator_port``: of a simulator of the providers, ``None`` without one.

    Raises ``StackError``, ``CannotSupervise`` and the errors of the migration, having stopped what it had started.
    """
    stack = Stack(StackConfig.from_environment({**os.environ, **settings.to_environ()}))
    settings, ours = parts_of(settings, stack)
    settings = with_public_url(settings)
    if settings.log_format == "auto":
        settings = replace(settings, log_format="text")
    simulators: list[ProcessSpec] = []
    if simulator_port is not None:
        settings = with_simulated_accounts(settings, local_url(LOOPBACK, simulator_port))
        settings = replace(settings, simulator_url=settings.simulator_url or local_url(LOOPBACK, simulator_port))
        simulators = [simulator_spec(settings, simulator_port, LOGS)]
    workers = worker_specs(settings, counts_of((), counts, settings.partitions), LOGS)
    specs = [*simulators, *api_specs(settings, api_processes, LOGS), *workers, *ledger_specs(settings, LOGS)]
    with claimed(workers, settings):
        check_ports(specs, {name: stack.part(name).port for name in ours})
        files = {name: fresh(LOGS / f"{name}.log") for name in ("run", *(spec.name for spec in specs))}
        _log_to(files["run"], settings.log_level)
        return asyncio.run(_Run(settings, stack, ours, specs, files).run())


def parts_of(settings: Settings, stack: Stack) -> tuple[Settings, list[str]]:
    """Return the settings with the addresses of the stack, and the names of its needed parts.

    An address other than the default names an external server and stays as it is.
    """
    default, ours = Settings(), []
    if settings.kafka in (default.kafka, stack.kafka_bootstrap):
        settings = replace(settings, kafka=stack.kafka_bootstrap)
        ours.append("kafka")
    here = (tuple(stack.cassandra_contact_points), stack.cassandra_port)
    if (settings.cassandra, settings.cassandra_port) in ((default.cassandra, default.cassandra_port), here):
        settings = replace(settings, cassandra=here[0], cassandra_port=here[1])
        ours.append("cassandra")
    if settings.files == "s3" and settings.s3_url in (default.s3_url, stack.minio_url):
        settings = replace(settings, s3_url=stack.minio_url)
        ours.append("minio")
    return settings, ours


def with_public_url(settings: Settings) -> Settings:
    """Return the settings with ``public_url``: the API's address, if it listens on one address only."""
    if settings.public_url or settings.host in ("", "0.0.0.0", "::"):
        return settings
    return replace(settings, public_url=local_url(settings.host, settings.port))


def _log_to(file: Path, level: str) -> None:
    handler = logging.FileHandler(file)
    handler.setFormatter(TextFormatter("run"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("aiokafka", "cassandra", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


class _Run:
    """One run of the system. ``ours``: the names of the needed parts of the stack."""

    def __init__(
        self, settings: Settings, stack: Stack, ours: list[str], specs: list[ProcessSpec], files: Mapping[str, Path]
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._files = files
        self._began = time.monotonic()
        self._supervisor = Supervisor(specs, ended=Takeovers(settings).after)
        self._ours = ours
        self._cancellation = Cancellation()
        self._workers = [spec for spec in specs if spec.stage == WORKER_STAGE]
        self._topics_made, self._compared = asyncio.Event(), asyncio.Event()
        self._past_members: set[str] = set()  # Kafka keeps those of an earlier life for a while
        self._missing: set[str] = set()

    async def run(self) -> int:
        signals = ShutdownSignals()
        signals.force(self._supervisor)
        screen = Screen(self._files)
        async with self._stack_stopped_at_the_end():
            try:
                with ProgressLine(sys.stderr) as line:
                    is_up = await _unless(signals.stop, self._bring_up(line))
                if is_up:
                    parts = [self._stack.part(name) for name in self._ours]
                    seconds, processes = time.monotonic() - self._began, self._supervisor.processes
                    click.echo(summary(self._settings, processes, parts, LOGS, self._missing, seconds))
                    screen.start(with_past=bool(self._missing))
                    await self._trim_logs(signals.stop)
            finally:
                self._cancellation.cancel()
                await self._supervisor.stop()
                screen.end()
        click.echo("Stopped.")
        return 0

    @asynccontextmanager
    async def _stack_stopped_at_the_end(self) -> AsyncIterator[None]:
        started = [part for name in self._ours if (part := self._stack.part(name)).process is None]
        try:
            yield
        finally:
            running = [part for part in started if part.process is not None]
            if running:
                click.echo(f"Stopping {' and '.join(part.title for part in running)} …")
                await asyncio.gather(*(asyncio.to_thread(part.stop) for part in running))

    async def _bring_up(self, line: ProgressLine) -> None:
        """All parts side by side; the processes as soon as there are topics, for they wait for the rest."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._kafka_and_processes(line))
                tasks.create_task(self._cassandra(line))
                tasks.create_task(self._start_part("minio", line))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        await self._until_ready()
        line.show(Progress("chat4all", "up", time.monotonic() - self._began))

    async def _kafka_and_processes(self, line: ProgressLine) -> None:
        await self._start_part("kafka", line)
        await migrate_topics(self._settings, MIGRATION_SECONDS)
        self._topics_made.set()
        async with open_groups(self._settings, self._groups()) as groups:
            for member in await groups.dismiss(self._is_left_over):
                log.info("%s of an earlier run has left its group", instance_of(member))
            self._past_members = await groups.members()
        if not any((await ends_of_messages(self._settings, MIGRATION_SECONDS)).values()):
            await self._compared.wait()  # a new log: nothing may be accepted before the histories were looked at
        line.show(Progress("chat4all", "starting", time.monotonic() - self._began))
        self._supervisor.start()

    async def _cassandra(self, line: ProgressLine) -> None:
        await self._start_part("cassandra", line)
        await migrate_schema(self._settings, MIGRATION_SECONDS)
        await self._topics_made.wait()
        await refuse_another_log(self._settings, MIGRATION_SECONDS)
        self._compared.set()

    async def _until_ready(self) -> None:
        """Return once the API answers and every role consumes all its partitions, or the time is over.

        A worker is ready when it says so *and* is a new member of its group: one that Kafka keeps from an earlier life
        is not.
        """
        deadline = time.monotonic() + READY_SECONDS
        url = local_url(self._settings.host, self._settings.port)
        async with open_groups(self._settings, self._groups()) as groups, Client(url) as client:
            while True:
                self._missing = await self._not_ready(groups)
                if not await client.is_ready():
                    self._missing.add("the API")
                if not self._missing or time.monotonic() > deadline:
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    async def _not_ready(self, groups: Groups) -> set[str]:
        members = await groups.members() - self._past_members
        there = [spec for spec in self._workers if _is_among(spec, members)]
        ready = await asyncio.gather(*(is_at_work(port_of(spec)) for spec in there))
        at_work = {spec.name for spec, is_ready in zip(there, ready, strict=True) if is_ready}
        missing = {spec.name for spec in self._workers} - at_work
        return missing | {f"{instance_of(member)}, which is gone" for member in filter(self._is_left_over, members)}

    def _is_left_over(self, member: str) -> bool:
        return is_left_over(member, self._workers, self._settings)

    def _groups(self) -> set[str]:
        prefix = self._settings.topic_prefix
        return {group_of(spec.environ["CHAT4ALL_ROLE"], prefix) for spec in self._workers}

    async def _start_part(self, name: str, line: ProgressLine) -> None:
        if name in self._ours:
            try:
                await asyncio.to_thread(self._stack.part(name).start, line.show, self._cancellation)
            except BaseException:
                self._cancellation.cancel()  # the other part's thread must not be waited for
                raise

    async def _trim_logs(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for file in self._files.values():
                keep_short(file)
            await _unless(stop, asyncio.sleep(_TRIM_SECONDS))


def _is_among(spec: ProcessSpec, members: set[str]) -> bool:
    return any(member.startswith(spec.environ["CHAT4ALL_INSTANCE"] + "-") for member in members)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> bool:
    """Do ``work`` and return ``True``; give it up and return ``False`` if ``stop`` is set first."""
    task, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
