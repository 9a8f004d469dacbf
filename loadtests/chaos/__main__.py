"""Sends messages through the worst provider while workers are killed, frozen and rebalanced; compares truth and belief.

    python -m loadtests.chaos --seed 1                 # 10,000 messages; about 4 minutes
    python -m loadtests.chaos --seed 1 --seeds 10      # ten runs, with the seeds 1 to 10

Kafka and Cassandra are its own. Exit code 1 if a verdict is BAD; --keep keeps the logs of the processes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from loadtests.chaos.plan import Plan
from loadtests.chaos.runner import run
from loadtests.seeded import parser_for, run_seeds


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    usual = Plan(seed=1)
    parser = parser_for("loadtests.chaos", __doc__ or "", usual)
    parser.add_argument("--conversations", type=int, default=usual.conversations)
    parser.add_argument("--freezes", type=int, default=usual.freezes)
    parser.add_argument("--joins", type=int, default=usual.joins)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))

    def plan_of(seed: int) -> Plan:
        return Plan(
            seed=seed,
            messages=wanted.messages,
            conversations=wanted.conversations,
            per_second=wanted.per_second,
            kills=wanted.kills,
            freezes=wanted.freezes,
            joins=wanted.joins,
            limit_seconds=wanted.minutes * 60,
        )

    return run_seeds("chaos", wanted, plan_of, run)


if __name__ == "__main__":
    sys.exit(main())
