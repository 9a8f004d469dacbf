"""``python -m loadtests.rounds [-n 40] [--seed 17] [--consumer stock] [--kafka HOST:PORT]``: runs rounds.

Without ``--kafka`` a Kafka of its own is started and thrown away. Ends with 1 if our consumer lost anything or stuck.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from devstack import Stack, StackConfig
from loadtests.rounds.plan import EXTRA_SCENARIOS, SCENARIOS, Plan
from loadtests.rounds.runner import Result, Round

WORK = Path(".devstack")


def main() -> int:
    """Run the command line and return the exit code."""
    options = _options()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic has no leader for a moment
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the workers are ended too
    seeds = options.seed or list(range(options.first, options.first + options.n))
    plans = [Plan.from_seed(seed, options.consumer) for seed in seeds]
    if options.scenario:
        plans = [replace(plan, scenario=options.scenario) for plan in plans]
    with kafka(options.kafka) as bootstrap:
        results = asyncio.run(run_all(plans, bootstrap, Path(options.keep) if options.keep else None))
    print(summary(results))
    return 1 if options.consumer == "ours" and not all(result.good for result in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.rounds", description=__doc__)
    parser.add_argument("-n", type=int, default=12, help="how many rounds (default 12)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--seed", type=int, action="append", help="a seed of its own; may be repeated")
    parser.add_argument("--consumer", choices=("ours", "stock"), default=os.environ.get("CONSUMER", "ours"))
    parser.add_argument("--scenario", choices=(*SCENARIOS, *EXTRA_SCENARIOS), help="instead of the seed's")
    parser.add_argument("--kafka", help="bootstrap server of a running Kafka; one is started otherwise")
    parser.add_argument("--keep", help="a folder in which journals and logs stay; otherwise those of bad rounds do")
    return parser.parse_args()


@contextmanager
def kafka(bootstrap: str | None) -> Iterator[str]:
    """Yield the given Kafka address, or that of a temporary Kafka."""
    if bootstrap:
        yield bootstrap
        return
    WORK.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="rounds-", dir=WORK))
    stack = Stack(StackConfig.on_free_ports(folder, WORK / "jars"))
    try:
        stack.up(["kafka"])
        yield stack.kafka_bootstrap
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


async def run_all(plans: list[Plan], bootstrap: str, keep: Path | None) -> list[Result]:
    """Run the rounds one after the other, printing a line each."""
    results = []
    for plan in plans:
        folder = _folder(plan, keep)
        result = await Round(plan, bootstrap, folder).run()
        results.append(result)
        print(result, flush=True)
        if result.good and not result.deaths and keep is None:
            shutil.rmtree(folder)
        else:
            print(f"          journals and logs: {folder}", file=sys.stderr)
    return results


def _folder(plan: Plan, keep: Path | None) -> Path:
    parent = keep or WORK
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"round-{plan.seed}-", dir=parent))


def summary(results: list[Result]) -> str:
    """Return the totals of all rounds."""
    lost = [r for r in results if r.lost or r.local]
    stuck = [r for r in results if r.stuck]
    lines = [
        f"{len(results)} rounds ({results[0].plan.consumer}) in {sum(r.seconds for r in results):.0f} s",
        f"  lost keys in {len(lost)} rounds: {sum(len(r.lost) for r in lost)} on the broker, "
        f"{sum(len(r.local) for r in lost)} in local tables",
        f"  stuck: {len(stuck)}; with commits past open offsets: {sum(bool(r.early) for r in results)}",
        f"  workers that died unasked: {sum(len(r.deaths) for r in results)}",
        f"  repeated deliveries a round: median {statistics.median(r.repeated for r in results):.0f}, "
        f"most {max(r.repeated for r in results)}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
