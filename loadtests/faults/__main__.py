"""Runs the fault matrix on servers of its own, and writes docs/reliability.md.

    make faults                                        # the whole, at most 30 minutes
    python -m loadtests.faults --rows "disk full" "Kafka"     # rows by parts of their names
    python -m loadtests.faults --short                 # the rows of `make test`
    python -m loadtests.faults --list

Exit code 1 if a row is BAD. --keep keeps the logs of the processes.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from devstack import Stack, StackConfig
from devstack.errors import ProgramUnavailable
from loadtests.command_line import parser_of
from loadtests.faults.cluster import cluster
from loadtests.faults.matrix import MATRIX
from loadtests.faults.measure import Measurement
from loadtests.faults.printed import found_in
from loadtests.faults.report import document
from loadtests.faults.row import CLUSTER_WORLD, PLAIN_WORLD, Found, Row
from loadtests.faults.world import World, world
from loadtests.processes import ROOT
from loadtests.servers import own_servers

REPORT = ROOT / "docs" / "reliability.md"


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.faults", __doc__)
    parser.add_argument("--rows", nargs="*", help="parts of the names of rows")
    parser.add_argument("--short", action="store_true", help="the rows of `make test`")
    parser.add_argument("--minutes", type=float, default=30.0, help="then no further row begins")
    parser.add_argument("--list", action="store_true", help="print the rows and do nothing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    parser.add_argument("--log", type=Path, help="write the page from the lines that a run printed, and run nothing")
    parser.add_argument("--keep", type=Path, help="folder in which the logs stay")
    return parser.parse_args(arguments)


def chosen(wanted: argparse.Namespace) -> list[Row]:
    """Return the rows that the options name."""
    rows = [row for row in MATRIX if row.is_short or not wanted.short]
    return [row for row in rows if not wanted.rows or any(part in row.name for part in wanted.rows)]


class Rows:
    """Runs rows until the time is over. ``found``: the results; ``missed``: rows for which there was no time left."""

    def __init__(self, seconds: float, write: Callable[[Rows], None]) -> None:
        self._write = write
        self._began = monotonic()
        self._deadline = self._began + seconds
        self.found: list[Found] = []
        self.missed: list[Row] = []

    @property
    def seconds(self) -> float:
        """How long it took so far."""
        return monotonic() - self._began

    async def run(self, rows: Sequence[Row], here: World) -> None:
        """Run the rows one after the other in one world, and print each."""
        for row in rows:
            if monotonic() > self._deadline:
                self.missed.append(row)
                continue
            found = await Measurement(row, here).run()
            print(found, flush=True)
            self.found.append(found)
            self._write(self)
            await here.system.ready()


async def run_plain(runner: Rows, rows: Sequence[Row], stack: Stack, folder: Path, seed: int) -> None:
    """Run the rows on one broker."""
    async with world(stack, stack, folder, seed) as here:
        await runner.run(rows, here)


async def run_cluster(runner: Rows, rows: Sequence[Row], stack: Stack, folder: Path, seed: int) -> None:
    """Run the rows on three brokers with three copies of each record."""
    usual = StackConfig.from_environment()
    with cluster(folder / "brokers", usual, stack.cassandra_port) as servers:
        await servers.start()
        copies = {"replication_factor": 3, "min_insync_replicas": 2}
        async with world(servers, stack, folder, seed, **copies) as here:
            await runner.run(rows, here)


def run(runner: Rows, rows: Sequence[Row], seed: int, keep: Path | None) -> None:
    """Run all rows, on servers of their own."""
    with own_servers("faults", _parts(rows)) as (stack, folder):
        for name, run_in in ((CLUSTER_WORLD, run_cluster), (PLAIN_WORLD, run_plain)):
            if not (mine := [row for row in rows if row.world == name]):
                continue
            own_folder = folder / name.replace(" ", "-")
            own_folder.mkdir()
            if name == CLUSTER_WORLD:
                stack.part("kafka").stop()
            else:
                stack.up(["kafka"])
            try:
                asyncio.run(run_in(runner, mine, stack, own_folder, seed))
            finally:
                if keep:
                    keep.mkdir(parents=True, exist_ok=True)
                    for log in own_folder.glob("*.log"):
                        shutil.copy(log, keep / f"{own_folder.name}-{log.name}")


def _parts(rows: Sequence[Row]) -> list[str]:
    names = ["kafka", "cassandra"]
    return [*names, "minio"] if any("MinIO" in row.name or "upload" in row.name for row in rows) else names


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    rows = chosen(wanted)
    if wanted.list:
        print("\n".join(f"{row.name}: {row.how}" for row in rows))
        return 0
    if wanted.log:
        results = found_in(wanted.log.read_text(encoding="utf-8").splitlines())
        missed = [row.name for row in rows if row not in [found.row for found in results]]
        seconds = sum(found.row_seconds for found in results)
        REPORT.write_text(document(results, missed, wanted.seed, seconds), encoding="utf-8")
        return 0
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of each attempt to reach a broker that is away

    def write(runner: Rows) -> None:
        if wanted.write:
            missed = [row.name for row in rows if row not in [found.row for found in runner.found]]
            REPORT.write_text(document(runner.found, missed, wanted.seed, runner.seconds), encoding="utf-8")

    runner = Rows(wanted.minutes * 60, write)
    try:
        run(runner, rows, wanted.seed, wanted.keep)
    except ProgramUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    bad = [found for found in runner.found if not found.is_good]
    print(
        f"{len(runner.found)} rows in {runner.seconds / 60:.1f} minutes, {len(bad)} BAD, {len(runner.missed)} not run"
    )
    return 1 if bad or runner.missed else 0


if __name__ == "__main__":
    sys.exit(main())
