"""Find out whether a port is free, and the process on it."""

from __future__ import annotations

import errno
import os
import shlex
import socket
from collections.abc import Mapping

import psutil

_WORKER, _WORKERS = "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"
_SHOWN_COMMAND_CHARACTERS = 120


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on `host:port` now.

    SO_REUSEADDR as Java sets it: connections in TIME_WAIT do not count, listeners do, those on
    0.0.0.0 included.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # A bound socket lets others bind too until somebody listens.
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def share(ports: range, environment: Mapping[str, str] = os.environ) -> range:
    """The part of `ports` for this process of pytest-xdist, else all: no two processes choose the same free port."""
    count = int(environment.get(_WORKERS, "1"))
    number = int(environment.get(_WORKER, "gw0").removeprefix("gw")) % count  # one that replaces another counts on
    size = len(ports) // count
    return ports[number * size : (number + 1) * size]


def owner_pid(port: int) -> int | None:
    """The process on local port `port`, preferably a listener; None if the system hides it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:  # macOS tells this to root only
        return None
    found = [c for c in connections if c.laddr and c.laddr.port == port and c.pid]
    found.sort(key=lambda c: c.status != psutil.CONN_LISTEN)
    return found[0].pid if found else None


def owner(port: int) -> str:
    """The owner of a port in words, such as "pid 4711 (java -Xmx512m …)"."""
    pid = owner_pid(port)
    if pid is None:
        return "a process that this user may not see"
    try:
        command = shlex.join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return f"pid {pid}"
    if len(command) > _SHOWN_COMMAND_CHARACTERS:
        command = command[: _SHOWN_COMMAND_CHARACTERS - 1] + "…"
    return f"pid {pid} ({command})"
