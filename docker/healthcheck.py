"""Asks the process of this container whether it is at work: exit code 0 or 1. Standard library only.

The API answers on ``CHAT4ALL_PORT``, a worker on ``CHAT4ALL_METRICS_PORT``, the ledger on 8081. The question is whether
the process works, not whether Kafka or Cassandra do: starting it again cures neither.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path

SECONDS = 3.0
COMMAND = Path("/proc/1/cmdline")


def target(words: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """Return port and path to ask. ``words``: the command of the container's first process."""
    if "worker" in words:
        return int(environ.get("CHAT4ALL_METRICS_PORT", "8082")), "/ready"
    if "ledger" in words:
        return 8081, "/metrics"
    return int(environ.get("CHAT4ALL_PORT", "8080")), "/health"


def main() -> int:
    """Ask, and return the exit code."""
    words = COMMAND.read_bytes().decode(errors="replace").split("\0")
    port, path = target(words, dict(os.environ))
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"nothing answers on port {port}: {error}")
        return 1
    finally:
        connection.close()
    print(f"port {port}{path}: {status}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
