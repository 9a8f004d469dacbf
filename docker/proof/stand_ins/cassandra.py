"""Stands in for the image cassandra: the variables ``CASSANDRA_…`` go into ``cassandra.yaml``, then it starts.

The rest of the configuration is that of the devstack, for a small machine.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, "/stand-in")

from devstack.cassandra import Cassandra
from devstack.config import StackConfig

DATA = Path("/var/lib/cassandra")
_OF_A_RING_OF_ONE = (
    "-Dcassandra.ring_delay_ms",
    "-Dcassandra.skip_wait_for_gossip_to_settle",
    "-Dcassandra.shutdown_announce_in_ms",
)


class _InContainer(Cassandra):
    """Cassandra on the container's address instead of loopback."""

    def settings(self) -> dict[str, object]:
        here, environ = socket.gethostbyname(socket.gethostname()), os.environ
        seeds = ",".join(f"{socket.gethostbyname(name)}:7000" for name in environ["CASSANDRA_SEEDS"].split(","))
        provider = {
            "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
            "parameters": [{"seeds": seeds}],
        }
        return super().settings() | {
            "cluster_name": environ.get("CASSANDRA_CLUSTER_NAME", "Test Cluster"),
            "endpoint_snitch": environ.get("CASSANDRA_ENDPOINT_SNITCH", "SimpleSnitch"),
            "seed_provider": [provider],
            "listen_address": here,
            "rpc_address": "0.0.0.0",
            "broadcast_rpc_address": here,
            "hinted_handoff_enabled": True,
        }

    def java_arguments(self) -> list[str]:
        """Return the devstack's arguments, with the waits of a ring of several nodes, and ``JVM_EXTRA_OPTS``."""
        found = [each for each in super().java_arguments() if not each.startswith(_OF_A_RING_OF_ONE)]
        return [*os.environ.get("JVM_EXTRA_OPTS", "").split(), "-Dcassandra.ring_delay_ms=10000", *found]

    def configuration(self) -> dict[str, str]:
        rack = f"dc={os.environ.get('CASSANDRA_DC', 'dc1')}\nrack={os.environ.get('CASSANDRA_RACK', 'rack1')}\n"
        return {**super().configuration(), "cassandra-rackdc.properties": rack}


def main() -> None:
    """Write the configuration and become Cassandra."""
    heap_mb = int(os.environ.get("MAX_HEAP_SIZE", "512M").removesuffix("M"))
    config = StackConfig(folder=DATA, jars_folder=Path("/archives"), cassandra_heap_mb=heap_mb)
    part = _InContainer(config)
    part.folder.mkdir(parents=True, exist_ok=True)
    part.prepare()
    os.execv("/usr/bin/java", ["/usr/bin/java", *part.command()[1:]])


if __name__ == "__main__":
    main()
