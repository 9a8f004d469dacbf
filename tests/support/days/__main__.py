"""Lives through days of deliveries in simulated time.

    PYTHONPATH=tests python -m support.days --seed 1 --days 30        # a month
    PYTHONPATH=tests python -m support.days --days 3 --seeds 5 --defect begun-after-the-call
    PYTHONPATH=tests python -m support.days --each-defect --seeds 20  # of each: the first history that shows it
    PYTHONPATH=tests python -m support.days --seed 2 --days 0.5 --crashes 300 --shrink   # and a smaller one
    PYTHONPATH=tests python -m support.days --seed 2 --days 0.01 --per-day 250 --steps   # each record, with its time

Exit code 1 if a history shows a fault; with --each-defect, if a defect is not found. The same seed gives the same
digest.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from support.days.clock import SimulatedLoop, install

if TYPE_CHECKING:
    from support.days.history import Outcome
    from support.days.smallest import Size

HASH_SEED = "PYTHONHASHSEED"
SHOWN = 10  # faults of a history


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m support.days", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="histories, with consecutive seeds")
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--per-day", type=int, default=1_000, help="messages")
    parser.add_argument("--crashes", type=float, default=24.0, help="a day, graceful stops among them")
    parser.add_argument("--defect", default="", help="put into the engine; see defects.py")
    parser.add_argument("--each-defect", action="store_true", help="put in one after the other, until each is found")
    parser.add_argument("--shrink", action="store_true", help="look for a smaller history that shows the same fault")
    parser.add_argument("--steps", action="store_true", help="print each record, and each end of the worker")
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
    from support.days.smallest import Size, Steps, smallest

    logging.disable(logging.CRITICAL)

    def live(size: Size, *, with_steps: bool = False) -> Outcome:
        """Live through a history."""
        clock.seconds = 0.0
        loop = SimulatedLoop(clock)
        try:
            history = History(size.seed, size.days, size.per_day, size.crashes)
            if with_steps:
                Steps(history, loop.time)
            return loop.run_until_complete(history.run())
        finally:
            loop.close()

    def lived(seed: int) -> Outcome:
        """Live through a history, and print it."""
        began, size = cpu(), Size(seed, wanted.days, wanted.per_day, wanted.crashes)
        found = live(size, with_steps=wanted.steps)
        print(
            f"seed {seed}: {found.messages} messages, {found.crashes} crashes, {found.stops} stops, "
            f"{found.records} records in {found.seconds / 86_400:.1f} days, {cpu() - began:.1f} s of processor time; "
            f"digest {found.digest}; {'good' if not found.faults else 'BAD'}",
            flush=True,
        )
        for fault in found.faults[:SHOWN]:
            print(f"    {fault}", flush=True)
        if found.faults and wanted.shrink:
            small, other = smallest(size, found.faults, live)
            print(f"    the smallest found: {small}: {(other or found).messages} messages", flush=True)
            for fault in (other or found).faults[:SHOWN]:
                print(f"        {fault}", flush=True)
        return found

    seeds = range(wanted.seed, wanted.seed + wanted.seeds)
    if wanted.each_defect:
        missed = [name for name, plant in DEFECTS.items() if not _is_found(name, plant, seeds, lived)]
        print(f"{len(DEFECTS) - len(missed)} of {len(DEFECTS)} defects found; not found: {', '.join(missed) or 'none'}")
        return 1 if missed else 0
    if wanted.defect:
        DEFECTS[wanted.defect]()
    bad = [seed for seed in seeds if lived(seed).faults]
    return 1 if bad else 0


def _is_found(name: str, plant: Callable[[], None], seeds: Iterable[int], lived: Callable[[int], Outcome]) -> bool:
    """Put a defect into a process of its own, and return whether one of the histories shows it."""
    print(f"{name}:", flush=True)
    if (child := os.fork()) == 0:
        plant()
        os._exit(0 if any(lived(seed).faults for seed in seeds) else 1)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    sys.exit(main())
