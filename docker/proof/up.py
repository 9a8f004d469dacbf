"""`docker compose up`, done with podman: each service starts when what it depends on is as far as the file says."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence

from docker.proof.compose_file import COMPLETED, HEALTHY, Service
from docker.proof.images import image_of
from docker.proof.podman import NETWORK, Podman

READY_SECONDS = 180.0
LOOK_SECONDS = 0.5
_TAIL = 2_000
Say = Callable[[str], None]


class NotUp(Exception):
    """A service did not get as far as it should."""


def up(podman: Podman, services: Sequence[Service], say: Say) -> None:
    """Start all services in their order. Raises ``NotUp`` with the last words of the one that failed."""
    podman.call("network", "create", NETWORK)
    by_name = {each.name: each for each in services}
    for service in services:
        for name, condition in service.depends_on.items():
            if name in by_name:
                await_condition(podman, by_name[name], condition)
        say(f"starting {service.name}")
        podman.start(service, image_of(service))


def await_condition(podman: Podman, service: Service, condition: str) -> None:
    """Return once a service is as far as ``condition`` says. Raises ``NotUp``."""

    def holds() -> bool:
        status, code = podman.state(service.name)
        if condition == COMPLETED:
            if status == "exited" and code:
                raise NotUp(f"{service.name} ended with {code}:\n{podman.logs(service.name)[-_TAIL:]}")
            return status == "exited"
        return status == "running" and (condition != HEALTHY or podman.is_healthy(service.name))

    until(holds, f"{service.name} is {condition}", podman, service.name)


def until(
    holds: Callable[[], bool], what: str, podman: Podman, name: str = "", seconds: float = READY_SECONDS
) -> float:
    """Wait and return the seconds that it took. Raises ``NotUp`` with the last words of the container ``name``."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            words = f":\n{podman.logs(name)[-_TAIL:]}" if name else ""
            raise NotUp(f"{what}: not within {seconds:g} s{words}")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def crash(podman: Podman, name: str) -> int:
    """Kill a container's first process from outside, as the kernel would, and return its id."""
    pid = podman.pid(name)
    os.kill(pid, signal.SIGKILL)
    return pid


def await_return(podman: Podman, name: str, pid: int) -> float:
    """Return the seconds until its restart policy has brought a killed container back. Raises ``NotUp``."""

    def is_back() -> bool:
        status, _ = podman.state(name)
        return status == "running" and podman.pid(name) not in (0, pid) and podman.is_healthy(name)

    return until(is_back, f"{name} is back", podman, name)
