"""Sends messages through the worst provider while workers are killed, frozen and rebalanced; compares truth and belief.

    python -m loadtests.chaos --seed 1                 # 10,000 messages; about 4 minutes
    python -m loadtests.chaos --seed 1 --seeds 10      # ten runs, with the seeds 1 to 10

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

from loadtests.chaos.plan import Plan
from loadtests.chaos.runner import run
from loadtests.servers import own_servers


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    usual = Plan(seed=1)
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m loadtests.chaos", description=about)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="runs, with consecutive seeds")
    parser.add_argument("--messages", type=int, default=usual.messages)
    parser.add_argument("--conversations", type=int, default=usual.conversations)
    parser.add_argument("--per-second", type=float, default=usual.per_second, help="messages")
    parser.add_argument("--minutes", type=float, default=usual.limit_seconds / 60, help="bound of load and rest")
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--freezes", type=int, default=usual.freezes)
    parser.add_argument("--joins", type=int, default=usual.joins)
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
            messages=wanted.messages,
            conversations=wanted.conversations,
            per_second=wanted.per_second,
            kills=wanted.kills,
            freezes=wanted.freezes,
            joins=wanted.joins,
            limit_seconds=wanted.minutes * 60,
        )
        with own_servers("chaos", ["kafka", "cassandra"]) as (stack, folder):
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
