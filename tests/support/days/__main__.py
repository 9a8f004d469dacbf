"""Lives through days of deliveries in simulated time.

    PYTHONPATH=tests python -m support.days --seed 1 --days 30        # a month
    PYTHONPATH=tests python -m support.days --days 3 --seeds 5 --defect begun-after-the-call

Exit code 1 if a history shows a fault. The same seed gives the same digest.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

from support.days.clock import SimulatedLoop, install

HASH_SEED = "PYTHONHASHSEED"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m support.days", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="histories, with consecutive seeds")
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--per-day", type=int, default=1_000, help="messages")
    parser.add_argument("--crashes", type=float, default=24.0, help="a day, graceful stops among them")
    parser.add_argument("--defect", default="", help="put into the engine; see defects.py")
    return parser.parse_args()


def main() -> int:
    wanted = options()
    if os.environ.get(HASH_SEED) != "0":  # else sets have another order in each process
        os.environ[HASH_SEED] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "support.days", *sys.argv[1:]])
    cpu = time.process_time
    clock = install()
    from support.days.defects import DEFECTS
    from support.days.history import History

    logging.disable(logging.CRITICAL)
    if wanted.defect:
        DEFECTS[wanted.defect]()
    bad = 0
    for seed in range(wanted.seed, wanted.seed + wanted.seeds):
        clock.seconds, began = 0.0, cpu()
        loop = SimulatedLoop(clock)
        try:
            found = loop.run_until_complete(History(seed, wanted.days, wanted.per_day, wanted.crashes).run())
        finally:
            loop.close()
        bad += bool(found.faults)
        print(
            f"seed {seed}: {found.messages} messages, {found.crashes} crashes and stops, {found.records} records in "
            f"{found.seconds / 86_400:.1f} days, {cpu() - began:.1f} s of processor time; digest {found.digest}; "
            f"{'good' if not found.faults else 'BAD'}",
            flush=True,
        )
        for fault in found.faults[:10]:
            print(f"    {fault}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
