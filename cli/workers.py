"""Process specifications for `chat4all worker` and `chat4all api`: one for each role, and those of the API."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from app.roles import ROLES
from app.settings import Settings
from cli.errors import CannotSupervise
from cli.supervisor import ProcessSpec

LOOPBACK = "127.0.0.1"
_THIS_MACHINE = (LOOPBACK, "localhost", "::1")
# the highest stage stops first: the API goes on accepting until the workers are done, and providers are there for both
SIMULATOR_STAGE, API_STAGE, WORKER_STAGE, LEDGER_STAGE = 0, 1, 2, 3
_PORTS = {
    SIMULATOR_STAGE: "CHAT4ALL_SIMULATOR_PORT",
    API_STAGE: "CHAT4ALL_PORT",
    WORKER_STAGE: "CHAT4ALL_METRICS_PORT",
    LEDGER_STAGE: "CHAT4ALL_LEDGER_URL",
}
_UUID_CHARACTERS = 36
_READY_SECONDS = 1.0
_LEVELS = {"CRITICAL": "crit", "ERROR": "error", "WARNING": "warn", "INFO": "info", "DEBUG": "debug"}
_ILLEGAL_IN_GROUP_INSTANCE_ID = re.compile(r"[^A-Za-z0-9._-]")


def node_of(settings: Settings) -> str:
    """Return the node's part of an instance name: different for each supervisor, stable over restarts.

    ``CHAT4ALL_NODE``, or the host's name with a hash of where the workers keep their state: two checkouts on one
    machine differ, and what one has on its disk is found again.
    """
    if settings.node:
        return _ILLEGAL_IN_GROUP_INSTANCE_ID.sub("-", settings.node)
    folder = hashlib.sha256(os.fsencode(Path(settings.data_dir).resolve())).hexdigest()[:6]
    return f"{_ILLEGAL_IN_GROUP_INSTANCE_ID.sub('-', socket.gethostname())}-{folder}"


def counts_of(roles: Sequence[str], counts: Mapping[str, int], partitions: int) -> dict[str, int]:
    """Return how many workers of each role are wanted: ``roles`` (all if none is named) once, or as ``counts`` says.

    Raises ``CannotSupervise`` for an unusable number.
    """
    wanted = dict.fromkeys(roles or ROLES, 1) | dict(counts)
    for role, count in wanted.items():
        if count > partitions:
            raise CannotSupervise(
                f"{count} workers of {role} were asked for, but there are {partitions} partitions: the rest would idle"
            )
    return {role: wanted[role] for role in ROLES if wanted.get(role, 0) > 0}


def worker_specs(settings: Settings, counts: Mapping[str, int], logs: Path | None = None) -> list[ProcessSpec]:
    """Return a process for each worker; metrics ports count upwards from ``settings.metrics_port``."""
    names = [(role, number) for role, count in counts.items() for number in range(1, count + 1)]
    return [
        _worker_spec(settings, role, f"{role}-{number}", settings.metrics_port + index, logs)
        for index, (role, number) in enumerate(names)
    ]


def _worker_spec(settings: Settings, role: str, name: str, port: int, logs: Path | None) -> ProcessSpec:
    # static membership: with the same name, a restarted worker has its partitions back without a rebalance
    its = replace(settings, role=role, instance=f"{name}.{node_of(settings)}", metrics_port=port)
    level = _LEVELS.get(settings.log_level.upper(), "info")
    faust = (sys.executable, "-m", "faust", "-A", "app", "-L", "uvloop")
    command = (*faust, "worker", "-l", level, "--web-port", str(port))
    return ProcessSpec(name, command, its.to_environ(), logs and logs / f"{name}.log", WORKER_STAGE)


def instance_of(member: str) -> str:
    """Return the instance in the id of a static member: the broker puts a UUID behind it at each join."""
    return member[: -_UUID_CHARACTERS - 1]


def is_left_over(member: str, specs: Iterable[ProcessSpec], settings: Settings) -> bool:
    """Return whether a member is a worker of an earlier run of this supervisor and no longer needed.

    While this process holds the claims on ``specs`` (see ``claimed``), no other process runs it: workers count from 1.
    """
    instance = instance_of(member)
    wanted = {spec.environ["CHAT4ALL_INSTANCE"] for spec in specs}
    roles = {spec.environ["CHAT4ALL_ROLE"] for spec in specs}
    name, _, node = instance.partition(".")
    return node == node_of(settings) and name.rpartition("-")[0] in roles and instance not in wanted


def api_specs(settings: Settings, processes: int, logs: Path | None = None) -> list[ProcessSpec]:
    """Return ``processes`` processes that share the API's port. Each has its name on its metrics."""
    command = (sys.executable, "-m", "web.server")
    names = [f"api-{number}" for number in range(1, processes + 1)]
    return [
        ProcessSpec(
            name,
            command,
            replace(settings, role="api", instance=name).to_environ(),
            logs and logs / f"{name}.log",
            API_STAGE,
        )
        for name in names
    ]


def simulator_spec(settings: Settings, port: int, logs: Path | None = None) -> ProcessSpec:
    """Return the process of the simulator of the providers; its webhooks go to the API of ``settings``."""
    command = (sys.executable, "-m", "chat4all", "simulator")
    environ = {**settings.to_environ(), _PORTS[SIMULATOR_STAGE]: str(port)}
    return ProcessSpec("simulator", command, environ, logs and logs / "simulator.log", SIMULATOR_STAGE)


def ledger_specs(settings: Settings, logs: Path | None = None) -> list[ProcessSpec]:
    """Return the process of the ledger, if ``ledger_url`` is on this machine: else another one keeps it, or nobody."""
    url = urlsplit(settings.ledger_url)
    if url.hostname not in _THIS_MACHINE or not url.port:
        return []
    command = (sys.executable, "-m", "chat4all", "ledger", "--port", str(url.port))
    return [ProcessSpec("ledger", command, settings.to_environ(), logs and logs / "ledger.log", LEDGER_STAGE)]


def port_of(spec: ProcessSpec) -> int:
    """Return a process's HTTP port."""
    given = spec.environ[_PORTS[spec.stage]]
    return int(given if spec.stage != LEDGER_STAGE else urlsplit(given).port or 0)


async def is_at_work(port: int) -> bool:
    """Return whether the worker on ``port`` consumes: it has its partitions, and their tables are recovered."""
    return await asyncio.to_thread(_says_ready, port)


def _says_ready(port: int) -> bool:
    connection = HTTPConnection(LOOPBACK, port, timeout=_READY_SECONDS)  # by itself, whatever proxy is set
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def check_ports(specs: Iterable[ProcessSpec], parts: Mapping[str, int] | None = None) -> None:
    """Raise ``CannotSupervise`` if a needed port is in use or needed twice.

    ``parts``: the ports of other servers started here, by name. The processes of the API share theirs.
    """
    from devstack.ports import is_free, owner

    specs = list(specs)
    taken = {port: name for name, port in (parts or {}).items()}
    for spec in specs:  # first among themselves: that is wrong on every machine
        port = port_of(spec)
        name = "the API" if spec.stage == API_STAGE else spec.name
        if taken.setdefault(port, name) != name:
            raise CannotSupervise(
                f"{taken[port]} and {name} both need port {port}. The workers' ports count upwards from "
                "CHAT4ALL_METRICS_PORT: set that, or CHAT4ALL_PORT, to another port."
            )
    for spec in specs:
        port, is_api = port_of(spec), spec.stage == API_STAGE
        if not is_free(spec.environ["CHAT4ALL_HOST"] if is_api else LOOPBACK, port):
            setting = _PORTS[spec.stage]
            raise CannotSupervise(
                f"{spec.name} needs port {port}, but it belongs to {owner(port)}. "
                f"Stop that process, or set {setting} to another port."
            )


@contextmanager
def claimed(specs: Iterable[ProcessSpec], settings: Settings) -> Iterator[None]:
    """Keep other supervisors from running the same workers on the same folder: they would fence each other off.

    Raises ``CannotSupervise`` if one does. The claim ends with this process, however it ends.
    """
    folder = Path(settings.data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        for spec in specs:
            lock = files.enter_context((folder / f"{settings.topic_prefix}{spec.name}.lock").open("a+"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise CannotSupervise(
                    f"{spec.name} is run by pid {lock.read().strip() or 'unknown'} already, with its state in "
                    f"{folder.resolve()}. Stop that, or set CHAT4ALL_DATA_DIR to another folder."
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        yield
