"""One server of the stack: its description, and the common start and stop."""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

import psutil

from devstack import locks, logs, ports, processes
from devstack.config import LOOPBACK, StackConfig, setting
from devstack.errors import FolderNotOurs, PartBusy, PartDidNotStart, PartDidNotStop, PortTaken, RunsElsewhere
from devstack.progress import Cancellation, OnProgress, Progress, Stage, silent

State = Literal["up", "not answering", "down"]

_POLL_SECONDS = 0.1
_PROBE_TIMEOUT_SECONDS = 2.0
_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class PartStatus:
    """`latency_ms`: how long the answer to a real request took; None when there was none."""

    name: str
    state: State
    port: int
    pid: int | None = None
    latency_ms: float | None = None
    detail: str = ""


class Part(ABC):
    """A server running as one daemon, with all its files under `<stack folder>/<name>`.

    Its command line must contain that folder's path: this is how its process is recognised.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    is_optional: ClassVar[bool] = False  # `up` starts it only when it is named, or the settings ask for it
    fetch_stage: ClassVar[Stage] = "jars"

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.folder = config.folder / self.name
        self.log_file = self.folder / "logs" / f"{self.name}.log"
        self.output_file = self.folder / "logs" / "output.log"
        self._record = self.folder / "process.json"
        self._lock = config.folder / f"{self.name}.lock"

    # What each part tells about itself.

    @property
    @abstractmethod
    def ports(self) -> Mapping[str, int]:
        """Every port it listens on, by the name of its field in StackConfig; clients' port first."""

    @abstractmethod
    def fetch(self, on_file: Callable[[int, int], None], cancellation: Cancellation) -> None:
        """Make its program available, telling on_file(done, total) as files arrive; quick when it is."""

    @abstractmethod
    def prepare(self) -> None:
        """Write its configuration under `folder`, and its empty storage if there is none."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line of the daemon."""

    @abstractmethod
    def ask(self, timeout_seconds: float) -> None:
        """Make a real request. Raises OSError when it is not answered."""

    def environment(self) -> Mapping[str, str]:
        """The environment of the daemon."""
        return processes.minimal_environment()

    # What is the same for all.

    @property
    def port(self) -> int:
        return next(iter(self.ports.values()))

    @property
    def process(self) -> psutil.Process | None:
        """The running process, started by this command or an earlier one; None without one."""
        return processes.find(self._record, marker=str(self.folder))

    def start(self, on_progress: OnProgress = silent, cancellation: Cancellation | None = None) -> None:
        """Make it run and answer, keeping its data; returns at once when it does already.

        Raises JarsUnavailable, ProgramUnavailable, PortTaken, PartDidNotStart, RunsElsewhere, PartBusy, FolderNotOurs,
        Cancelled. A process started without success is killed again.
        """
        cancellation = cancellation or Cancellation()
        began = time.monotonic()

        def tell(stage: Stage, done: int = 0, total: int = 0) -> None:
            on_progress(Progress(self.name, stage, time.monotonic() - began, done, total))

        def waiting(seconds: float) -> None:
            tell("waiting")
            cancellation.pause(self.title, seconds)

        self._make_stack_folder()
        self.fetch(lambda done, total: tell(self.fetch_stage, done, total), cancellation)
        with self._held(waiting):
            tell("starting")
            if self.process is None:
                process = self._launch()
                with processes.no_leftover(process):
                    self._wait_until_it_answers(process, cancellation)
            else:
                self._check_it_runs_here()
                self._wait_until_it_answers(self.process, cancellation)
            tell("up")

    def stop(self) -> bool:
        """SIGTERM, a bounded wait, SIGKILL. Returns whether there was something to stop."""
        return self._end(self.config.stop_timeout_seconds)

    def kill(self) -> bool:
        """SIGKILL at once, as a crash would. Returns whether there was something to kill."""
        return self._end(None)

    def status(self) -> PartStatus:
        process = self.process
        if process is None:
            foreign = "" if self._port_is_free() else f"port {self.port} belongs to {ports.owner(self.port)}"
            return PartStatus(self.name, "down", self.port, detail=foreign)
        began = time.monotonic()
        try:
            self.ask(_PROBE_TIMEOUT_SECONDS)
        except OSError as error:
            return PartStatus(self.name, "not answering", self.port, process.pid, detail=str(error))
        latency_ms = round((time.monotonic() - began) * 1000, 1)
        return PartStatus(self.name, "up", self.port, process.pid, latency_ms)

    def reset(self) -> None:
        """Stop it and delete all it wrote: data, logs, configuration."""
        with self._held():
            self._end_held(self.config.stop_timeout_seconds)
            if self.folder.exists():
                self._claim_folder()
                shutil.rmtree(self.folder)

    def _launch(self) -> psutil.Process:
        self._check_ports()
        self._claim_folder()
        self.log_file.parent.mkdir(exist_ok=True)
        self.prepare()
        process = processes.start(self.command(), self.folder, self.output_file, self.environment())
        with processes.no_leftover(process):
            processes.record(process, self.ports, self._record)
        return process

    def _wait_until_it_answers(self, process: psutil.Process | None, cancellation: Cancellation) -> None:
        timeout_seconds = self.config.start_timeout_seconds
        deadline = time.monotonic() + timeout_seconds
        last_error = ""
        while time.monotonic() < deadline:
            if process is None or not processes.is_alive(process):
                raise self._did_not_start("ended while it was starting")
            try:
                return self.ask(_PROBE_TIMEOUT_SECONDS)
            except OSError as error:
                last_error = str(error)
            cancellation.pause(self.title, _POLL_SECONDS)
        raise self._did_not_start(f"did not answer within {timeout_seconds:g} s ({last_error})")

    def _did_not_start(self, reason: str) -> PartDidNotStart:
        words = [*logs.tail(self.output_file, _TAIL_LINES), *logs.tail(self.log_file, _TAIL_LINES)]
        return PartDidNotStart(self.title, reason, self.log_file, "\n".join(words))

    def _end(self, patience_seconds: float | None) -> bool:
        if not self.config.folder.exists():
            return False
        with self._held():
            return self._end_held(patience_seconds)

    def _end_held(self, patience_seconds: float | None) -> bool:
        process = self.process
        if process is not None and not processes.end(process, patience_seconds):
            raise PartDidNotStop(self.title, process.pid)
        self._record.unlink(missing_ok=True)
        return process is not None

    def _check_it_runs_here(self) -> None:
        running = processes.recorded_ports(self._record)
        if running and running != self.ports:
            raise RunsElsewhere(self.title, running, self.ports)

    def _check_ports(self) -> None:
        for field, port in self.ports.items():
            if not ports.is_free(LOOPBACK, port):
                raise PortTaken(self.title, port, setting(field), ports.owner(port))

    def _port_is_free(self) -> bool:
        return ports.is_free(LOOPBACK, self.port)

    def _claim_folder(self) -> None:
        """Mark the folder as the stack's, or refuse: a folder filled by others is neither used nor deleted."""
        ours = self.folder / ".chat4all-stack"
        if self.folder.is_dir() and any(self.folder.iterdir()) and not ours.exists():
            raise FolderNotOurs(self.folder, setting("folder"))
        self.folder.mkdir(parents=True, exist_ok=True)
        ours.touch()

    def _make_stack_folder(self) -> None:
        """A new folder is ignored by git; an existing one is not touched."""
        try:
            self.config.folder.mkdir(parents=True)
        except FileExistsError:
            return
        (self.config.folder / ".gitignore").write_text("*\n")

    @contextmanager
    def _held(self, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
        timeout_seconds = self.config.start_timeout_seconds
        try:
            with locks.held(self._lock, timeout_seconds, pause):
                yield
        except TimeoutError:
            raise PartBusy(self.title, timeout_seconds) from None
