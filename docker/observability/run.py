"""`make run OBSERVABILITY=1`: what is here of Prometheus, Alertmanager and Grafana, around `chat4all run`.

python -m docker.observability.run chat4all run --simulator
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from app.settings import Settings
from cli.workers import counts_of, port_of, worker_specs
from devstack.ports import is_free
from docker.observability.local import LOOPBACK, Layout, Targets, specs, start, stop, write

PORT_TAKEN = 2
FOLDER = Path(".chat4all/observability")
INSTALL = {
    "prometheus": "Debian: apt-get install prometheus",
    "alertmanager": "Debian: apt-get install prometheus-alertmanager",
    "grafana": "its own packages, or docker compose --profile observability up",
}


def targets(settings: Settings) -> Targets:
    """Return the addresses of the API and of one worker a role, as `chat4all run` starts them, and of the ledger."""
    workers = worker_specs(settings, counts_of((), {}, settings.partitions))
    addresses = [f"{LOOPBACK}:{port_of(spec)}" for spec in workers]
    return Targets([f"{settings.host}:{settings.port}"], addresses, urlsplit(settings.ledger_url).netloc)


def words(layout: Layout, there: Sequence[str], lacking: Sequence[str]) -> str:
    """Return where each server answers, and how to get those that are not there."""
    lines = [f"{name:<13} http://{LOOPBACK}:{layout.port_of(name)}" for name in there]
    lines += [f"{name:<13} not on this machine ({INSTALL[name]})" for name in lacking]
    return "\n".join(lines)


def main(command: Sequence[str]) -> int:
    """Start the servers, run ``command`` until it ends, end the servers, and return its exit code."""
    layout = Layout.from_environ(FOLDER.resolve(), os.environ)
    write(layout, targets(Settings.from_environ()))
    found, lacking = specs(layout)
    if taken := [f"{spec.name} {port}" for spec in found if not is_free(LOOPBACK, port := layout.port_of(spec.name))]:
        print(f"in use: the port of {', '.join(taken)}; set CHAT4ALL_<NAME>_PORT to another", file=sys.stderr)
        return PORT_TAKEN
    print(words(layout, [spec.name for spec in found], lacking), flush=True)
    processes = [start(spec) for spec in found]
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # signals that came before the child could have them

    def forward(number: int, _frame: object) -> None:
        if children:
            children[0].send_signal(number)
        else:
            early.append(number)

    signal.signal(signal.SIGTERM, forward)  # a supervisor tells us alone
    try:
        with subprocess.Popen(command) as child:
            children.append(child)
            for number in early:
                child.send_signal(number)
            while True:
                try:
                    return child.wait()
                except KeyboardInterrupt:
                    continue  # the child has it, too, and stops in order
    finally:
        stop(processes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
