"""What people see: the commands, the progress line, and the questions put to servers."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from devstack import Progress, StackConfig, probes
from devstack.commands import stack
from devstack.config import LOOPBACK
from devstack.progress_line import ProgressLine


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    config = StackConfig.on_free_ports(tmp_path / "stack", tmp_path / "jars")
    names = ("folder", "kafka_port", "kafka_controller_port", "cassandra_port", "cassandra_storage_port", "minio_port")
    return {f"CHAT4ALL_STACK_{name.upper()}": str(getattr(config, name)) for name in names}


def test_status_of_a_stack_that_never_ran_is_down_with_exit_code_1(environment: dict[str, str]) -> None:
    result = CliRunner().invoke(stack, ["status", "--json"], env=environment)
    assert result.exit_code == 1
    assert [(one["name"], one["state"]) for one in json.loads(result.output)] == [
        ("kafka", "down"),
        ("cassandra", "down"),
        ("minio", "down"),
    ]


def test_down_of_a_stack_that_never_ran_makes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    result = CliRunner().invoke(stack, ["down"], env=environment)
    assert result.output == "Nothing was running.\n"
    assert not (tmp_path / "stack").exists()


def test_reset_asks_first(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stack" / "kafka").mkdir(parents=True)
    assert CliRunner().invoke(stack, ["reset"], env=environment, input="n\n").exit_code == 1
    assert (tmp_path / "stack" / "kafka").exists()
    assert CliRunner().invoke(stack, ["reset", "--yes"], env=environment).exit_code == 0
    assert not (tmp_path / "stack" / "kafka").exists()


def test_logs_of_all_parts_carry_their_names(environment: dict[str, str], tmp_path: Path) -> None:
    for name in ("kafka", "cassandra"):
        file = tmp_path / "stack" / name / "logs" / f"{name}.log"
        file.parent.mkdir(parents=True)
        file.write_text("one\ntwo\n")
    both = CliRunner().invoke(stack, ["logs", "-n", "1"], env=environment)
    assert both.output == "kafka     | two\ncassandra | two\n"
    one = CliRunner().invoke(stack, ["logs", "kafka"], env=environment)
    assert one.output == "one\ntwo\n"


def test_a_wrong_setting_is_a_sentence_not_a_traceback(environment: dict[str, str]) -> None:
    result = CliRunner().invoke(stack, ["up"], env={**environment, "CHAT4ALL_STACK_KAFKA_PORT": "x"})
    assert result.exit_code == 1
    assert "Error: CHAT4ALL_STACK_KAFKA_PORT='x' is not a port" in result.output


STEPS = [
    *(Progress("kafka", "jars", 0.1 * done, done, 57) for done in range(1, 58)),
    Progress("kafka", "starting", 6.0),
    Progress("kafka", "up", 8.0),
]


def test_progress_that_is_not_on_a_terminal_is_a_few_plain_lines() -> None:
    stream = io.StringIO()
    with ProgressLine(stream) as line:
        for step in STEPS:
            line.show(step)
    assert stream.getvalue().splitlines() == [
        "kafka: jars 1/57 (0.1 s)",
        "kafka: jars 57/57 (5.7 s)",
        "kafka: starting (6.0 s)",
        "kafka: up (8.0 s)",
    ]


def test_progress_on_a_terminal_is_one_line_that_is_wiped_at_the_end() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    with ProgressLine(stream) as line:
        for step in STEPS:
            line.show(step)
    shown = stream.getvalue()
    assert "\n" not in shown
    assert "\rkafka: jars 12/57 (0 s)" in shown
    assert shown.endswith("\r")


Answers = Callable[[bytes], int]


@pytest.fixture
def answering() -> Iterator[Answers]:
    """Start a server that sends fixed bytes to each client, and closes."""
    servers: list[socket.socket] = []

    def start(answer: bytes) -> int:
        server = socket.create_server((LOOPBACK, 0))
        servers.append(server)
        threading.Thread(target=serve, args=(server, answer), daemon=True).start()
        return int(server.getsockname()[1])

    def serve(server: socket.socket, answer: bytes) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(100)
            connection.sendall(answer)

    yield start
    for server in servers:
        server.close()


def test_a_kafka_that_knows_no_live_broker_does_not_count_as_up(answering: Answers) -> None:
    port = answering(struct.pack(">iii", 8, 1, 0))
    with pytest.raises(probes.UnexpectedAnswer, match="no live broker"):
        probes.ask_kafka(LOOPBACK, port, 1.0)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x01x", b"\x84\0\0\0\0"])
@pytest.mark.parametrize("ask", [probes.ask_kafka, probes.ask_cassandra])
def test_whatever_else_listens_there_is_an_oserror(
    answering: Answers, ask: Callable[[str, int, float], None], answer: bytes
) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        ask(LOOPBACK, answering(answer), 1.0)
