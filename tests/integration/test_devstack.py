"""The real Kafka and Cassandra as daemons: they start, are found again, crash, come back, and stop.

The tests share one stack and are in the order of its life. They start it twice and each part once more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cassandra.cluster import Cluster

from devstack import PortTaken, Stack, StackConfig
from devstack.config import PREFIX

TOPIC = "kept"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> StackConfig:
    # A space and an accent, as in a home folder that somebody has.
    folder = tmp_path_factory.mktemp("devstack") / "São João"
    return StackConfig.on_free_ports(folder, StackConfig.from_environment().jars_folder)


@pytest.fixture(scope="module")
def stack(config: StackConfig) -> Iterator[Stack]:
    stack = Stack(config)
    yield stack
    stack.down()


@pytest.fixture
def running(stack: Stack) -> Stack:
    stack.up()
    return stack


def command(config: StackConfig, *arguments: str) -> subprocess.Popen[str]:
    """`chat4all stack …` in a process of its own that finds neither java nor mvn."""
    names = ("folder", "jars_folder", "kafka_port", "kafka_controller_port", "cassandra_port", "cassandra_storage_port")
    settings = {PREFIX + name.upper(): str(getattr(config, name)) for name in names}
    kept = {name: value for name, value in os.environ.items() if name.endswith(("_CERT_FILE", "_CA_BUNDLE", "_PROXY"))}
    return subprocess.Popen(
        [sys.executable, "-m", "devstack.commands", *arguments],
        cwd=Path(__file__).parents[2],
        env={**kept, **settings, "PATH": "/nonexistent", "HOME": str(config.folder.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def pids(stack: Stack) -> list[int | None]:
    return [status.pid for status in stack.status()]


def write_row(stack: Stack) -> None:
    with Cluster(stack.cassandra_contact_points, port=stack.cassandra_port) as cluster:
        session = cluster.connect()
        session.execute("CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        session.execute("CREATE TABLE kept.rows (id int PRIMARY KEY)")
        session.execute("INSERT INTO kept.rows (id) VALUES (42)")


def read_rows(stack: Stack) -> list[int]:
    with Cluster(stack.cassandra_contact_points, port=stack.cassandra_port) as cluster:
        return [row.id for row in cluster.connect().execute("SELECT id FROM kept.rows")]


async def write_record(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all") as producer:
        await producer.send_and_wait(TOPIC, b"42")


async def read_record(stack: Stack) -> bytes | None:
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="earliest") as consumer:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return (await consumer.getone()).value


@pytest.mark.timeout(1200)  # a first run downloads the jars
def test_two_shells_that_start_it_at_once_start_one_stack(stack: Stack) -> None:
    shells = [command(stack.config, "up") for _ in range(2)]
    outputs = [shell.communicate(timeout=1000)[0] for shell in shells]
    assert [shell.returncode for shell in shells] == [0, 0], outputs
    assert [status.state for status in stack.status()] == ["up", "up", "down"], "MinIO was not asked for"
    for status in stack.status()[:2]:
        assert all(f"pid {status.pid}" in output for output in outputs)


def test_a_second_up_finds_everything_running(running: Stack) -> None:
    before = pids(running)
    began = time.monotonic()
    running.up()
    assert time.monotonic() - began < 2
    assert pids(running) == before


def test_status_of_a_running_stack_has_exit_code_0(running: Stack) -> None:
    shell = command(running.config, "status", "--json")
    statuses = json.loads(shell.communicate(timeout=30)[0])
    assert shell.returncode == 0
    assert [status["state"] for status in statuses] == ["up", "up", "down"]


def test_another_stack_on_the_same_port_is_refused(running: Stack, tmp_path: Path) -> None:
    free = StackConfig.on_free_ports(tmp_path, running.config.jars_folder)
    other = Stack(replace(free, kafka_port=running.config.kafka_port))
    pid = running.status()[0].pid
    with pytest.raises(PortTaken, match=f"port {running.config.kafka_port}.*pid {pid} "):
        other.up()
    assert {status.state for status in other.status()} == {"down"}
    assert running.status()[0].state == "up"


async def test_data_outlives_a_crash_of_both(running: Stack) -> None:
    write_row(running)
    await write_record(running)
    for status in running.status()[:2]:
        assert status.pid is not None
        psutil.Process(status.pid).kill()
        psutil.wait_procs([psutil.Process(status.pid)] if psutil.pid_exists(status.pid) else [], timeout=10)
    assert {status.state for status in running.status()} == {"down"}
    running.up()
    assert read_rows(running) == [42]
    assert await read_record(running) == b"42"


async def test_one_part_can_be_stopped_and_started_while_the_other_stays(running: Stack) -> None:
    cassandra = running.status()[1]
    assert running.part("kafka").stop()
    assert [status.state for status in running.status()] == ["down", "up", "down"]
    running.part("kafka").start()
    assert running.status()[1].pid == cassandra.pid
    assert await read_record(running) == b"42"


def test_a_stale_record_whose_pid_is_a_foreign_process_does_no_harm(running: Stack) -> None:
    kafka = running.part("kafka")
    kafka.kill()
    me = psutil.Process()
    (kafka.folder / "process.json").write_text(json.dumps({"pid": me.pid, "create_time": me.create_time()}))
    assert kafka.status().state == "down"
    assert not kafka.stop(), "and the foreign process is still here to say so"
    kafka.start()
    assert kafka.status().state == "up"


def test_down_is_quick_and_leaves_no_process(running: Stack) -> None:
    processes = [psutil.Process(pid) for pid in pids(running) if pid]
    began = time.monotonic()
    assert running.down() == ["cassandra", "kafka"]
    assert time.monotonic() - began < 11, "two parts, at most 5 s of patience each"
    assert not any(process.is_running() for process in processes)
    assert running.down() == []
