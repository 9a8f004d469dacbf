"""Sends and receives through the simulator of the providers, on real connectors, while processes are killed.

    python -m loadtests.two_way --seed 1                     # 3,000 messages to 90 people; about 3 minutes
    python -m loadtests.two_way --seed 1 --dropped 0.3       # 30 % of the statuses are never posted, for two minutes

Kafka and Cassandra are its own. Exit code 1 if a verdict is BAD; --keep keeps the logs of the processes.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from loadtests.servers import own_servers
from loadtests.two_way.plan import Plan
from loadtests.two_way.runner import run


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    usual = Plan(seed=1)
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m loadtests.two_way", description=about)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="runs, with consecutive seeds")
    parser.add_argument("--people", type=int, default=usual.people, help="of each channel")
    parser.add_argument("--messages", type=int, default=usual.messages)
    parser.add_argument("--written", type=int, default=usual.written, help="messages that people write by themselves")
    parser.add_argument("--per-second", type=float, default=usual.per_second, help="messages")
    parser.add_argument("--preset", default=usual.preset, help="of the simulator's chaos")
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--api-kills", type=int, default=usual.api_kills)
    parser.add_argument("--dropped", type=float, default=0.0, help="share of the statuses that are never posted")
    parser.add_argument("--minutes", type=float, default=usual.limit_seconds / 60, help="bound of load and rest")
    parser.add_argument("--keep", type=Path, help="folder in which the logs stay")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # and end what was started
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    bad = 0
    for seed in range(wanted.seed, wanted.seed + wanted.seeds):
        plan = Plan(
            seed=seed,
            people=wanted.people,
            messages=wanted.messages,
            written=wanted.written,
            per_second=wanted.per_second,
            preset=wanted.preset,
            kills=wanted.kills,
            api_kills=wanted.api_kills,
            dropped_share=wanted.dropped,
            limit_seconds=wanted.minutes * 60,
        )
        with own_servers("two-way", ["kafka", "cassandra"]) as (stack, folder):
            (folder / "run").mkdir()
            try:
                result = uvloop.run(run(plan, stack, folder / "run"))
            finally:
                if wanted.keep:
                    shutil.copytree(folder / "run", wanted.keep / f"seed-{seed}", dirs_exist_ok=True)
        print(result, flush=True)
        bad += not result.is_good
    print(f"{wanted.seeds} runs, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
