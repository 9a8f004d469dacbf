"""Fuzzes each parser that faces outside: no exception but a refusal, no call over 100 ms, no growth.

    python -m loadtests.fuzz --minutes 0.2                   # for each parser
    python -m loadtests.fuzz --minutes 10 --only webhooks    # those whose names contain the word

Hypothesis draws the inputs (`--seed`), shrinks what fails and prints it. Exit code 1 if a parser failed.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tracemalloc
from collections.abc import Sequence
from time import monotonic

from hypothesis import HealthCheck, Phase, given, seed, settings

from loadtests.command_line import parser_of
from loadtests.fuzz.target import Target, Worst, call
from loadtests.fuzz.targets import TARGETS

EXAMPLES = 100  # of a round; a parser gets rounds until its time is over
GROWTH_BYTES = 3_000_000  # in a round of EXAMPLES, beyond which a parser keeps something
_MIB = 2**20


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.fuzz", __doc__)
    parser.add_argument("--minutes", type=float, default=0.2, help="for each parser")
    parser.add_argument("--only", default="", help="part of the parsers' names")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def round_of(target: Target, number: int, examples: int = EXAMPLES, worst: Worst | None = None) -> tuple[int, int]:
    """Parse some inputs; return how many there were, and how many were taken. Raises what the parser should not."""
    count = taken = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @given(target.inputs)
    def fuzz(value: object) -> None:
        nonlocal count, taken
        count += 1
        taken += call(target, value, worst)

    fuzz()
    return count, taken


def fuzz_for(target: Target, seconds: float, number: int) -> str:
    """Fuzz for ``seconds``; return what was done, in words. Raises what the parser should not, and for growth."""
    deadline, count, taken, rounds, worst = monotonic() + seconds, 0, 0, 0, Worst()
    while not rounds or monotonic() < deadline:
        more, more_taken = round_of(target, number + rounds, worst=worst)
        count, taken, rounds = count + more, taken + more_taken, rounds + 1
    grown = growth_of(target, number)
    assert grown < GROWTH_BYTES, f"{target.name} grew by {grown / _MIB:.1f} MiB"
    longest_ms = worst.seconds * 1000
    return f"{count:7d} inputs, {taken:7d} taken, {longest_ms:5.1f} ms at most, grown by {grown / 1024:.0f} KiB"


def growth_of(target: Target, number: int) -> int:
    """Return how many bytes more the product holds after a third round than after a second one."""
    tracemalloc.start()
    try:
        for each in range(2):
            round_of(target, number + each)
        before = _held_by_the_product()
        round_of(target, number + 2)
        return _held_by_the_product() - before
    finally:
        tracemalloc.stop()


def _held_by_the_product() -> int:
    """Return the bytes allocated by other files than those of Hypothesis and of this program."""
    gc.collect()
    ours = [
        tracemalloc.Filter(False, f"*{name}*") for name in ("hypothesis", "loadtests/fuzz", "tracemalloc", "random")
    ]
    return sum(stat.size for stat in tracemalloc.take_snapshot().filter_traces(ours).statistics("filename"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz and print. Returns the exit code."""
    wanted = options(list(sys.argv[1:] if arguments is None else arguments))
    bad = 0
    for target in TARGETS.values():
        if wanted.only not in target.name:
            continue
        try:
            print(f"ok  {target.name:26s} {fuzz_for(target, wanted.minutes * 60, wanted.seed)}", flush=True)
        except Exception as error:  # noqa: BLE001  whatever it is, the parser should have refused
            bad += 1
            print(f"BAD {target.name}: {error!r:.500}\n{''.join(getattr(error, '__notes__', []))[:1_000]}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
