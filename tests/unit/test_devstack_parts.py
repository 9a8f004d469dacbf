"""How any part is started and stopped, tried on a tiny server in Python instead of a Java one."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devstack import (
    FolderNotOurs,
    Part,
    PartDidNotStart,
    PortTaken,
    Progress,
    RunsElsewhere,
    StackConfig,
    locks,
)
from devstack.config import LOOPBACK
from devstack.progress import Cancellation

ECHO = """
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    connection.sendall(b"here")
    connection.close()
"""


class Echo(Part):
    """A part that borrows Kafka's port."""

    name = "echo"
    title = "Echo"
    code = ECHO

    @property
    def ports(self) -> Mapping[str, int]:
        return {"kafka_port": self.config.kafka_port}

    def fetch(self, on_file: Callable[[int, int], None], cancellation: Cancellation) -> None:
        on_file(1, 1)

    def prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)

    def command(self) -> Sequence[str]:
        return [sys.executable, "-u", "-c", self.code, str(self.port), str(self.folder)]

    def ask(self, timeout_seconds: float) -> None:
        with socket.create_connection((LOOPBACK, self.port), timeout_seconds) as connection:
            if connection.recv(4) != b"here":
                raise ConnectionError("a strange answer")


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    config = StackConfig.on_free_ports(
        tmp_path / "stack", tmp_path / "jars", start_timeout_seconds=10.0, stop_timeout_seconds=2.0
    )
    part = Echo(config)
    yield part
    part.kill()


def changed(part: Echo, code: str = ECHO, **changes: object) -> Echo:
    """The same part with another program or other settings."""
    fields = {name: getattr(part.config, name) for name in part.config.__dataclass_fields__}
    other = Echo(StackConfig(**{**fields, **changes}))
    other.code = code  # type: ignore[misc]
    return other


def test_a_part_goes_from_down_to_up_and_back(echo: Echo) -> None:
    assert echo.status().state == "down"
    steps: list[Progress] = []
    echo.start(steps.append)
    assert [step.stage for step in steps] == ["jars", "starting", "up"]
    status = echo.status()
    assert status.state == "up"
    assert status.pid is not None
    assert status.latency_ms is not None
    assert echo.stop()
    assert not echo.stop()
    assert echo.status().state == "down"


def test_a_second_start_leaves_the_process_alone(echo: Echo) -> None:
    echo.start()
    first = echo.process
    Echo(echo.config).start()
    assert echo.process == first


def test_concurrent_starts_make_one_process(echo: Echo) -> None:
    others = [Echo(echo.config) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Echo.start, others))
    assert len({other.process.pid for other in others if other.process}) == 1


def test_a_killed_part_starts_again_on_its_port(echo: Echo) -> None:
    echo.start()
    (echo.folder / "data" / "kept").touch()
    assert echo.kill()
    echo.start()
    assert echo.status().state == "up"
    assert (echo.folder / "data" / "kept").exists()


def test_a_start_finishes_what_an_interrupted_one_began(echo: Echo) -> None:
    echo.start()
    process = echo.process
    assert process is not None
    process.suspend()
    threading.Timer(0.3, process.resume).start()
    echo.start()
    assert echo.process == process


def test_a_taken_port_is_reported_with_its_owner_and_the_setting_to_change(echo: Echo) -> None:
    with (
        socket.create_server((LOOPBACK, echo.port)),
        pytest.raises(PortTaken, match=rf"port {echo.port}.* pid \d+ .*CHAT4ALL_STACK_KAFKA_PORT"),
    ):
        echo.start()
    assert echo.process is None


def test_status_tells_when_a_port_is_in_foreign_hands(echo: Echo) -> None:
    with socket.create_server((LOOPBACK, echo.port)):
        status = echo.status()
    assert status.state == "down"
    assert f"port {echo.port} belongs to pid" in status.detail


def test_a_program_that_ends_is_reported_with_its_last_words(echo: Echo) -> None:
    with pytest.raises(PartDidNotStart, match="ended while it was starting") as caught:
        changed(echo, "raise SystemExit('no disk left')").start()
    assert "no disk left" in caught.value.log_tail


def test_a_program_that_never_answers_is_given_up_and_killed(echo: Echo) -> None:
    silent = changed(echo, "import time; time.sleep(60)", start_timeout_seconds=0.3)
    with pytest.raises(PartDidNotStart, match=r"did not answer within 0\.3 s"):
        silent.start()
    assert silent.process is None


def test_a_running_part_does_not_follow_changed_ports_silently(echo: Echo) -> None:
    echo.start()
    with pytest.raises(RunsElsewhere, match=f"kafka_port={echo.port}.*`down` first"):
        changed(echo, kafka_port=echo.port + 1).start()


def test_reset_deletes_the_data(echo: Echo) -> None:
    echo.start()
    echo.reset()
    assert echo.process is None
    assert not echo.folder.exists()
    echo.reset()


def test_a_folder_of_somebody_else_is_neither_used_nor_deleted(echo: Echo) -> None:
    echo.folder.mkdir(parents=True)
    (echo.folder / "thesis.tex").touch()
    with pytest.raises(FolderNotOurs):
        echo.start()
    with pytest.raises(FolderNotOurs):
        echo.reset()
    assert (echo.folder / "thesis.tex").exists()


def test_git_ignores_the_folder_that_we_make(echo: Echo) -> None:
    echo.start()
    assert (echo.config.folder / ".gitignore").read_text() == "*\n"


def test_a_lock_that_another_holds_is_waited_for_with_a_bound(tmp_path: Path) -> None:
    with locks.held(tmp_path / "lock", 1.0), pytest.raises(TimeoutError), locks.held(tmp_path / "lock", 0.2):
        pass
    with locks.held(tmp_path / "lock", 0.0):
        pass
