"""Keeps processes alive, each for itself: restarts with back-off, stops in order, leaves nobody behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.stacks import dump_on_signal

log = logging.getLogger(__name__)

_DIE_WITH_PARENT = str(Path(__file__).with_name("die_with_parent.py"))
# two signals closer together are one wish: a terminal and `make` may both pass on the same Ctrl-C
_SAME_WISH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process to keep alive.

    ``environ`` is added to our own. stdout and stderr are appended to the file ``output``, or are ours.
    Those of the highest ``stage`` are stopped first.
    """

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None
    stage: int = 0


Ended = Callable[[ProcessSpec], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """No pause before the first restart; then it doubles from first to longest.

    ``healthy_seconds``: after so long a life the next restart is a first one again.
    ``stop_seconds``: from SIGTERM to SIGKILL.
    """

    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0
    healthy_seconds: float = 60.0
    stop_seconds: float = 20.0

    def pause_seconds(self, short_lives: int) -> float:
        """Return how long to wait after that many short lives in a row (at least one).

        The first crash is retried without a wait; a second one soon after it may be systematic.
        """
        if short_lives <= 1:
            return 0.0
        return min(self.longest_pause_seconds, self.first_pause_seconds * 2.0 ** min(short_lives - 2, 30))


async def _nothing(spec: ProcessSpec) -> None:
    """For those to whom the end of a process means nothing."""


class Supervised:
    """One process and its successors. ``pid`` is ``None`` while none runs. ``ended``: awaited between two."""

    def __init__(self, spec: ProcessSpec, backoff: BackoffPolicy, ended: Ended = _nothing) -> None:
        self.spec = spec
        self._ended = ended
        self.pid: int | None = None
        self.starts = 0
        self._backoff = backoff
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep it alive."""
        self._task = asyncio.create_task(self._keep(), name=self.spec.name)

    async def end(self) -> None:
        """SIGTERM, a bounded wait, SIGKILL. Returns when it is gone."""
        self._ending.set()
        self.send(signal.SIGTERM)
        if self._task is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=self._backoff.stop_seconds)
        if not done:
            log.warning("%s did not stop in %g s and is killed", self, self._backoff.stop_seconds)
            self.kill()
            await asyncio.wait([self._task])

    def kill(self) -> None:
        """Send SIGKILL to the process and its children. It is not restarted."""
        self._ending.set()
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def send(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def __str__(self) -> str:
        return f"{self.spec.name} (pid {self.pid})"

    async def _keep(self) -> None:
        short_lives = 0
        while not self._ending.is_set():
            began = time.monotonic()
            end = await self._live()
            seconds = time.monotonic() - began
            if self._ending.is_set():
                log.info("%s %s", self.spec.name, end)
                return
            try:
                await self._ended(self.spec)
            except Exception:
                log.exception("%s: what it leaves could not be cleared away", self.spec.name)
            short_lives = 1 if seconds >= self._backoff.healthy_seconds else short_lives + 1
            pause_seconds = self._backoff.pause_seconds(short_lives)
            log.warning("%s %s after %.1f s; next start in %g s", self.spec.name, end, seconds, pause_seconds)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_seconds)

    async def _live(self) -> str:
        """Start the process, wait for its end, and tell how it ended."""
        self.starts += 1
        try:
            process = await self._spawn()
        except OSError as error:
            return f"could not be started ({error})"
        self.pid = process.pid
        log.info("%s pid %d", self.spec.name, process.pid)
        if self._ending.is_set():
            self.send(signal.SIGTERM)
        try:
            return f"(pid {process.pid}) {described(await process.wait())}"
        finally:
            self.pid = None

    async def _spawn(self) -> Process:
        spec = self.spec
        output = os.open(spec.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if spec.output else None
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", _DIE_WITH_PARENT, str(os.getpid())),
                *spec.command,
                env={**os.environ, **spec.environ},
                stdin=DEVNULL,
                stdout=output,
                stderr=output if output is None else STDOUT,
                # a Ctrl-C in the terminal is for the supervisor, which stops in order; a session of its own would make
                # the niceness of workers void, since Linux shares the processors between sessions first (autogroup)
                process_group=0,
            )
        finally:
            if output is not None:
                os.close(output)


class Supervisor:
    """Keep the processes of ``specs`` alive. Needs the event loop of the main thread.

    ``ended`` is called when a process has ended without being told to; the next one starts after it has returned.
    """

    def __init__(
        self, specs: Iterable[ProcessSpec], backoff: BackoffPolicy | None = None, ended: Ended = _nothing
    ) -> None:
        self.processes = [Supervised(spec, backoff or BackoffPolicy(), ended) for spec in specs]

    def start(self) -> None:
        """Start all of them, side by side."""
        for process in self.processes:
            process.start()

    async def stop(self) -> None:
        """Stop all of them: the highest stage first, within a stage at once."""
        for stage in sorted({process.spec.stage for process in self.processes}, reverse=True):
            await asyncio.gather(*(process.end() for process in self.processes if process.spec.stage == stage))

    def kill(self) -> None:
        """End all of them now. ``stop`` then returns at once."""
        for process in self.processes:
            process.kill()


class ShutdownSignals:
    """``stop`` is set by the first SIGINT, SIGTERM or SIGHUP; one that comes later calls ``force``. SIGUSR1 writes the
    stacks of this process to stderr."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._forces: list[Supervisor] = []
        self._first = 0.0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._hear, number)
        dump_on_signal()  # by default SIGUSR1 ends a process

    def force(self, supervisor: Supervisor) -> None:
        """Kill everything of ``supervisor`` if the wish is repeated."""
        self._forces.append(supervisor)

    def _hear(self, number: int) -> None:
        now = time.monotonic()
        if not self.stop.is_set():
            self._first = now
            log.info("%s: stopping; once more to force it", signal.Signals(number).name)
            self.stop.set()
        elif now - self._first > _SAME_WISH_SECONDS:
            log.warning("%s again: killing what still runs", signal.Signals(number).name)
            for supervisor in self._forces:
                supervisor.kill()


async def supervise(
    specs: Iterable[ProcessSpec], backoff: BackoffPolicy | None = None, ended: Ended = _nothing
) -> None:
    """Keep the processes alive until SIGINT, SIGTERM or SIGHUP; then stop them in order."""
    signals = ShutdownSignals()
    supervisor = Supervisor(specs, backoff, ended)
    signals.force(supervisor)
    supervisor.start()
    await signals.stop.wait()
    await supervisor.stop()


def described(code: int) -> str:
    """Return how a process ended, in words, from ``subprocess``'s return code."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
