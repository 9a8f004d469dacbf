"""The stack's settings, files, records and locks: everything that needs no Java."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack import SettingInvalid, Stack, StackConfig, UnknownPart, logs, ports, processes
from devstack.cassandra import Cassandra
from devstack.config import LOOPBACK
from devstack.java import arguments_text, properties_text
from devstack.kafka import Kafka


@pytest.fixture
def config(tmp_path: Path) -> StackConfig:
    return StackConfig.on_free_ports(tmp_path / "stack", tmp_path / "jars")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[psutil.Process]:
    """A process of ours: tmp_path is in its command line."""
    command = [sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path)]
    process = processes.start(command, tmp_path, tmp_path / "output.log", processes.minimal_environment())
    yield process
    processes.end(process, patience_seconds=None)


# Settings


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    config = StackConfig.from_environment(
        {
            "CHAT4ALL_STACK_FOLDER": str(tmp_path),
            "CHAT4ALL_STACK_KAFKA_PORT": "19092",
            "CHAT4ALL_STACK_CASSANDRA_HEAP_MB": "256",
            "CHAT4ALL_STACK_STOP_TIMEOUT_SECONDS": "2.5",
            "CHAT4ALL_STACK_CASSANDRA_PORT": " ",
        }
    )
    assert config.folder == tmp_path
    assert config.jars_folder == tmp_path / "jars"
    assert (config.kafka_port, config.cassandra_port) == (19092, 9042)
    assert config.cassandra_heap_mb == 256
    assert config.stop_timeout_seconds == 2.5


def test_the_default_folder_is_in_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "docs" / "adr").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "docs" / "adr")
    assert StackConfig.from_environment({}).folder == tmp_path / ".devstack"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHAT4ALL_STACK_KAFKA_PORT", "many"),
        ("CHAT4ALL_STACK_KAFKA_PORT", "70000"),
        ("CHAT4ALL_STACK_KAFKA_HEAP_MB", "1.5"),
        ("CHAT4ALL_STACK_START_TIMEOUT_SECONDS", "-1"),
        ("CHAT4ALL_STACK_START_TIMEOUT_SECONDS", "nan"),
    ],
)
def test_a_wrong_setting_is_named_in_the_error(variable: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=f"{variable}={value!r} is not"):
        StackConfig.from_environment({variable: value})


def test_test_stacks_get_ports_that_differ_and_are_free(config: StackConfig) -> None:
    names = ("kafka_port", "kafka_controller_port", "cassandra_port", "cassandra_storage_port", "minio_port")
    chosen = [getattr(config, name) for name in names]
    assert len(set(chosen)) == 5
    assert all(ports.is_free(LOOPBACK, port) for port in chosen)
    assert all(port < 32_768 for port in chosen), "a client's port could take it while the part is stopped"


def test_an_unknown_part_is_answered_with_the_known_ones(config: StackConfig) -> None:
    with pytest.raises(UnknownPart, match="kafka, cassandra, minio"):
        Stack(config).part("redis")


# What is written for the servers


def test_every_address_is_loopback(config: StackConfig) -> None:
    written = [*Kafka(config).configuration().values(), *Cassandra(config).configuration().values()]
    addresses = re.findall(r"\d+\.\d+\.\d+\.\d+", "\n".join(written))
    assert set(addresses) == {LOOPBACK}
    assert "0.0.0.0" not in "".join(written)


def test_kafka_makes_no_topic_by_itself_and_groups_start_at_once(config: StackConfig) -> None:
    properties = Kafka(config).server_properties()
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["group.initial.rebalance.delay.ms"] == 0
    assert properties["group.min.session.timeout.ms"] == 6000


def test_cassandra_settings_survive_yaml(config: StackConfig) -> None:
    cassandra = Cassandra(config)
    lines = cassandra.configuration()["cassandra.yaml"].splitlines()
    parsed = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines)}
    assert parsed == cassandra.settings()
    assert parsed["native_transport_port"] == config.cassandra_port


def test_the_jars_are_pinned_to_the_promised_versions(config: StackConfig) -> None:
    names = {path.name for part in (Kafka(config), Cassandra(config)) for path in part.jars.class_path}
    assert {"kafka_2.13-3.9.1.jar", "cassandra-all-5.0.5.jar", "slf4j-reload4j-1.7.36.jar"} <= names
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in Kafka(config).jars.jars)


def test_a_path_with_spaces_and_accents_reaches_java_whole() -> None:
    assert arguments_text(['/a "b"\\c']) == '"/a \\"b\\"\\\\c"\n'
    assert properties_text({"log.dirs": "/João\\x"}) == "log.dirs=/Jo\\u00e3o\\\\x\n"


# Ports


def test_a_port_with_a_listener_is_not_free_and_its_owner_is_known(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert not ports.is_free(LOOPBACK, port)
    assert ports.owner(port).startswith(f"pid {psutil.Process().pid} (")
    listener.close()
    assert ports.is_free(LOOPBACK, port)


def test_processes_of_one_test_run_choose_among_ports_of_their_own() -> None:
    shares = [
        ports.share(range(100, 131), {"PYTEST_XDIST_WORKER": f"gw{n}", "PYTEST_XDIST_WORKER_COUNT": "3"})
        for n in range(4)
    ]
    assert shares == [range(100, 110), range(110, 120), range(120, 130), range(100, 110)]
    assert ports.share(range(100, 131), {}) == range(100, 131)


# Processes


def test_a_recorded_process_is_found_again(tmp_path: Path, sleeper: psutil.Process) -> None:
    file = tmp_path / "process.json"
    processes.record(sleeper, {"kafka_port": 9092}, file)
    assert processes.find(file, marker=str(tmp_path)) == sleeper
    assert processes.recorded_ports(file) == {"kafka_port": 9092}


def test_a_reused_pid_is_not_taken_for_ours(tmp_path: Path, sleeper: psutil.Process) -> None:
    file = tmp_path / "process.json"
    for stale in (
        {"pid": sleeper.pid, "create_time": sleeper.create_time() - 3600},
        {"pid": 2**22 + 1, "create_time": sleeper.create_time()},
        {"pid": "nonsense"},
    ):
        file.write_text(json.dumps(stale))
        assert processes.find(file, marker=str(tmp_path)) is None
    file.write_text("{half a rec")
    assert processes.find(file, marker=str(tmp_path)) is None


def test_a_process_of_another_folder_is_not_taken_for_ours(tmp_path: Path, sleeper: psutil.Process) -> None:
    file = tmp_path / "process.json"
    processes.record(sleeper, {}, file)
    assert processes.find(file, marker="/another/folder") is None


def test_a_zombie_counts_as_gone(tmp_path: Path, sleeper: psutil.Process) -> None:
    file = tmp_path / "process.json"
    processes.record(sleeper, {}, file)
    sleeper.kill()
    while sleeper.is_running() and sleeper.status() != psutil.STATUS_ZOMBIE:
        pass
    assert processes.find(file, marker=str(tmp_path)) is None
    assert not psutil.pid_exists(sleeper.pid), "our own child is reaped"


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        assert processes.end(psutil.Process(child.pid), patience_seconds=0.1)


# Logs


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    assert logs.tail(file, 3) == []
    file.write_text("".join(f"line {n}\n" for n in range(5000)))
    assert logs.tail(file, 2) == ["line 4998", "line 4999"]
    assert logs.tail(file, 0) == []


def test_a_followed_log_may_be_rolled(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text("before\n")
    written = iter(["before\nadded\n", "new\n"])

    def on_pause(_: float) -> None:
        file.write_text(next(written))

    added = logs.follow({"a": file}, pause=on_pause)
    assert [next(added), next(added)] == [("a", "added"), ("a", "new")]
