"""Three brokers on one machine, each broker and controller."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from devstack import StackConfig
from devstack.config import LOOPBACK
from devstack.kafka import Kafka
from loadtests.faults.row import Act
from loadtests.faults.world import World

BROKERS = 3
HEAP_MB = 320


class ClusterKafka(Kafka):
    """One of several brokers. ``controllers``: the controllers' ports of all of them, in the order of their numbers."""

    def __init__(self, config: StackConfig, number: int, controllers: Sequence[int], cluster_id: str) -> None:
        super().__init__(config)
        self.number = number
        self.cluster_id = cluster_id
        self._controllers = controllers

    def server_properties(self) -> dict[str, object]:
        voters = ",".join(f"{n}@{LOOPBACK}:{port}" for n, port in enumerate(self._controllers, 1))
        return {
            **super().server_properties(),
            "node.id": self.number,
            "controller.quorum.voters": voters,
            "default.replication.factor": BROKERS,
            "min.insync.replicas": 2,
            "offsets.topic.replication.factor": BROKERS,
            "transaction.state.log.replication.factor": BROKERS,
            "transaction.state.log.min.isr": 2,
            "replica.lag.time.max.ms": 4000,
            "controlled.shutdown.enable": "true",
        }


class Cluster:
    """``brokers``: the parts. It is what ``Servers`` asks for, with Cassandra on ``cassandra_port``."""

    def __init__(self, folder: Path, usual: StackConfig, cassandra_port: int) -> None:
        configs = [StackConfig.on_free_ports(folder / f"broker-{n}", usual.jars_folder) for n in range(1, BROKERS + 1)]
        ports = [config.kafka_controller_port for config in configs]
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.brokers = [
            ClusterKafka(replace(config, kafka_heap_mb=HEAP_MB), n, ports, cluster_id)
            for n, config in enumerate(configs, 1)
        ]
        self.cassandra_port = cassandra_port
        self.cassandra_contact_points = [LOOPBACK]

    @property
    def kafka_bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers)

    async def start(self) -> None:
        """Start all brokers side by side: none answers before two of them know each other."""
        await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in self.brokers))


@contextmanager
def cluster(folder: Path, usual: StackConfig, cassandra_port: int) -> Iterator[Cluster]:
    """Yield a cluster that does not run yet; its brokers are killed at the end."""
    made = Cluster(folder, usual, cassandra_port)
    try:
        yield made
    finally:
        for broker in made.brokers:
            broker.kill()


def _victim(world: World) -> ClusterKafka:
    assert isinstance(world.servers, Cluster)
    return world.servers.brokers[-1]


def broker_killed(seconds: float) -> Act:
    """Kill one broker; start it again ``seconds`` later."""

    async def act(world: World) -> None:
        victim = _victim(world)
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(victim.start)

    return act


def broker_frozen(seconds: float) -> Act:
    """Freeze one broker for ``seconds``."""

    async def act(world: World) -> None:
        process = _victim(world).process
        assert process is not None
        process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            process.resume()

    return act
