"""Restarts ``chat4all run`` with other numbers of workers, and sees how soon every partition has work done again.

    python -m loadtests.restarts --rounds 20              # Kafka and Cassandra stay; about 8 minutes
    python -m loadtests.restarts --rounds 20 --whole      # they are stopped and started with the rest

Each round: start, the line "is running", a message to every partition until it is READ, Ctrl-C. It prints, from the
start of the command: when the API was ready, when the line came, and when the last message was READ. A round has
missed if the messages were READ later than ``--within`` after the line, or the line came and not all was ready. Without
``--whole`` they must also be READ within so many seconds after the start. Exit code 1 if a round has missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from app.kafka.partitions import partition_for
from app.settings import Settings
from devstack.config import setting
from loadtests.command_line import parser_of
from loadtests.http_client import Client
from loadtests.orders import Orders, signed_up
from loadtests.processes import ROOT
from loadtests.servers import own_servers
from loadtests.system import SHIPPED_SESSION_SECONDS, system_settings

ROLES = ("core", "mirror", "whatsapp")
MOST_WORKERS = 3
START_SECONDS = 120.0
STOP_SECONDS = 60.0
READ_SECONDS = 90.0
_LOOK_SECONDS = 0.05
RUNNING, NOT_READY = "Chat4All is running", "Chat4All runs, but is not ready"
HEADER = "   core mirror whatsapp    api   line   READ   after the line"


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.restarts", __doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--within", type=float, default=10.0, help="seconds in which every partition is at work again")
    parser.add_argument("--whole", action="store_true", help="restart Kafka and Cassandra as well")
    parser.add_argument("--keep", type=Path, help="folder for what rounds print that are later than --within")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


class Life:
    """One run of ``chat4all run``. ``more``: options of the command."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        folder: Path,
        counts: Mapping[str, int],
        more: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._log = folder / "run.log"
        signals = [word for role, count in counts.items() for word in ("-n", f"{role}={count}")]
        self.began_at = monotonic()
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chat4all", "run", *signals, *more],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **settings.to_environ(), **environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self) -> tuple[float | None, float, bool]:
        """Return when the API was ready, when the line came (seconds from the start), and whether it was all ready."""
        client = Client(self._settings.host, self._settings.port)
        api_seconds = None
        while (seconds := monotonic() - self.began_at) < START_SECONDS:
            if api_seconds is None and (await client.ask("GET", "/health/ready")).status == 200:
                api_seconds = monotonic() - self.began_at
            text = self.text()
            if RUNNING in text or NOT_READY in text:
                return api_seconds, seconds, RUNNING in text
            if self._process.poll() is not None:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        raise SystemExit(f"it did not start within {START_SECONDS:g} s:\n{self.text()[-3_000:]}")

    def text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def stop(self) -> None:
        """Send SIGINT, then SIGKILL after a time limit."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                await asyncio.to_thread(self._process.wait, STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise SystemExit(f"it did not stop within {STOP_SECONDS:g} s") from None


async def read_seconds(settings: Settings, token: str, orders: Orders) -> float:
    """Send a message to every conversation; return how long until all are READ. Raises ``SystemExit`` after a bound."""
    began_at = monotonic()
    client = Client(settings.host, settings.port, token)
    open_ids = []
    for order in orders.one_for_each_conversation():
        body = {
            "conversation_id": order.conversation_id,
            "recipient_id": order.recipient_id,
            "content": order.content,
        }
        answer = await client.ask("POST", "/v1/messages", body)
        if answer.status != 202:
            raise SystemExit(f"a message was not accepted: {answer.status} {answer.body!r}")
        open_ids.append(answer.json()["message_id"])
    while open_ids and monotonic() - began_at < READ_SECONDS:
        answer = await client.ask("GET", f"/v1/messages/{open_ids[-1]}")
        if answer.status == 200 and answer.json()["status"] == "READ":
            open_ids.pop()
        else:
            await asyncio.sleep(_LOOK_SECONDS)
    if open_ids:
        raise SystemExit(f"{len(open_ids)} messages are not READ after {READ_SECONDS:g} s")
    return monotonic() - began_at


def to_every_partition(partitions: int) -> Orders:
    """Return orders with a conversation on each partition."""
    orders = Orders(50 * partitions, ["whatsapp"])
    found = {partition_for(name.encode(), partitions): name for name in orders.conversations}
    assert len(found) == partitions
    orders.conversations = list(found.values())
    return orders


async def measure(
    wanted: argparse.Namespace, settings: Settings, environ: Mapping[str, str], folder: Path
) -> tuple[int, int]:
    """Do the rounds and print them; return how many there were and how many have missed."""
    chance, token, missed = random.Random(wanted.seed), "", 0
    counts: dict[str, int] = {}
    print(HEADER, flush=True)
    for number in range(wanted.rounds + 1):  # the first one is no restart, and does not count
        before = counts
        while counts == before:
            counts = {role: chance.randint(1, MOST_WORKERS) for role in ROLES}
        life = Life(settings, environ, folder, {**counts, "instagram": 0, "telegram": 0})
        try:
            api_seconds, line_seconds, is_ready = await life.line()
            token = token or await signed_up(settings.host, settings.port)
            orders = to_every_partition(settings.partitions)
            after_seconds = await read_seconds(settings, token, orders)
        finally:
            await life.stop()
        total = line_seconds + after_seconds
        is_late = after_seconds > wanted.within or not is_ready or (not wanted.whole and total > wanted.within)
        missed += is_late and number > 0
        if is_late and wanted.keep:
            wanted.keep.mkdir(parents=True, exist_ok=True)
            (wanted.keep / f"round-{number}.log").write_text(life.text(), encoding="utf-8")
        marks = "  NOT READY" * (not is_ready) + "  LATE" * (is_late and number > 0)
        print(
            f"{number:2d} {counts['core']:4d} {counts['mirror']:6d} {counts['whatsapp']:8d} "
            f"{api_seconds or float('nan'):6.1f} {line_seconds:6.1f} {total:6.1f} {after_seconds:6.1f}"
            f"{marks}   (load {os.getloadavg()[0]:.1f})",
            flush=True,
        )
    return wanted.rounds, missed


def main(arguments: Sequence[str] | None = None) -> int:
    """Restart and count. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    with ExitStack() as ends:
        stack, folder = ends.enter_context(own_servers("restarts", ["kafka", "cassandra"]))
        settings, environ = system_settings(stack, folder, session_timeout_seconds=SHIPPED_SESSION_SECONDS), {}
        if wanted.whole:
            stack.down()
            values = {name: str(value) for name, value in asdict(stack.config).items() if value != ""}
            environ = {setting(name): value for name, value in values.items()}
        rounds, missed = asyncio.run(measure(wanted, settings, environ, folder))
    print(f"{rounds} restarts: {missed} not at work within {wanted.within:g} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
