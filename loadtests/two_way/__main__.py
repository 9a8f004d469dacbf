"""Sends and receives through the simulator of the providers, on real connectors, while processes are killed.

    python -m loadtests.two_way --seed 1                     # 3,000 messages to 90 people; about 3 minutes
    python -m loadtests.two_way --seed 1 --dropped 0.3       # 30 % of the statuses are never posted, for two minutes

With 10,000 messages give it ``--minutes 30``: the provider throttles 5 % of the calls, and each account slows down for
it (ADR 129). Kafka and Cassandra are its own. Exit code 1 if a verdict is BAD; --keep keeps the logs of the processes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from loadtests.seeded import parser_for, run_seeds
from loadtests.two_way.plan import Plan
from loadtests.two_way.runner import run


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    usual = Plan(seed=1)
    parser = parser_for("loadtests.two_way", __doc__ or "", usual)
    parser.add_argument("--people", type=int, default=usual.people, help="of each channel")
    parser.add_argument("--written", type=int, default=usual.written, help="messages that people write by themselves")
    parser.add_argument("--preset", default=usual.preset, help="of the simulator's chaos")
    parser.add_argument("--api-kills", type=int, default=usual.api_kills)
    parser.add_argument("--dropped", type=float, default=0.0, help="share of the statuses that are never posted")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))

    def plan_of(seed: int) -> Plan:
        return Plan(
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

    return run_seeds("two-way", wanted, plan_of, run)


if __name__ == "__main__":
    sys.exit(main())
