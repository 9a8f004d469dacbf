"""Measures the bare accept and the bare pipeline beside ours, in one sitting: each figure is a share of a limit.

    python -m loadtests.floor                        # about three minutes
    python -m loadtests.floor --only ours --seconds 4
    python -m loadtests.floor --markdown floor.md

The bare accept is aiohttp and one aiokafka record, answered after the acknowledgement (``loadtests/floor/accept.py``);
the bare pipeline behind it has neither Faust nor Cassandra (``loadtests/floor/pipeline.py``). Exit code 1 if a ledger
does not balance: then the figures mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from app.roles import ROLES
from loadtests.command_line import parser_of
from loadtests.floor.bare import Bare
from loadtests.floor.figures import GoalResult, Subject, markdown, verdicts
from loadtests.floor.sitting import Sitting
from loadtests.meter import Machine
from loadtests.orders import signed_up
from loadtests.servers import own_servers
from loadtests.system import Servers, System, system_settings

SUBJECTS = ("accept", "pipeline", "ours")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.floor", __doc__)
    parser.add_argument("--only", default=",".join(SUBJECTS), help=f"which of {', '.join(SUBJECTS)}")
    parser.add_argument("--rates", default="100,500", help="accepts a second to measure latency at")
    parser.add_argument("--new-rate", type=float, default=100.0, help="first messages of new conversations a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each rate lasts")
    parser.add_argument("--connections", type=int, default=64, help="most connections of the load generator")
    parser.add_argument("--flat-out", default="1,64", help="numbers of connections to accept flat out with")
    parser.add_argument("--flat-seconds", type=float, default=4.0, help="about how long each of those lasts")
    parser.add_argument("--messages", type=int, default=10_000, help="messages to follow from the send to READ")
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1, help="workers of each of our roles")
    parser.add_argument("--api", type=int, default=1, help="processes of our API")
    parser.add_argument("--markdown", type=Path, help="write the figures to this file as well")
    return parser.parse_args(arguments)


async def bare(wanted: argparse.Namespace, servers: Servers, folder: Path, *, has_pipeline: bool) -> Subject | None:
    """Measure the bare accept, with or without the pipeline; ``None`` if its ledger does not balance."""
    subject = Subject("bare accept and pipeline" if has_pipeline else "bare accept")
    settings = system_settings(servers, folder)
    async with Bare(settings, folder / subject.name.replace(" ", "-"), has_pipeline=has_pipeline) as running:
        sitting = Sitting(wanted, running, servers, subject, "x" * 400)
        return subject if await sitting.measure(has_end=has_pipeline, has_new=False) else None


async def ours(wanted: argparse.Namespace, servers: Servers, folder: Path) -> Subject | None:
    """Measure the system; ``None`` if its ledger does not balance."""
    subject = Subject("Chat4All")
    settings = system_settings(servers, folder)
    counts = dict.fromkeys(ROLES, wanted.workers)
    async with System(settings, folder / "ours", counts, api_processes=wanted.api) as running:
        token = await signed_up(settings.host, settings.port)
        sitting = Sitting(wanted, running, servers, subject, token)
        return subject if await sitting.measure(has_end=True, has_new=True) else None


async def measure(wanted: argparse.Namespace, servers: Servers, folder: Path) -> tuple[list[Subject], list[GoalResult]]:
    """Return the subjects measured, and the verdicts; no subject if a ledger does not balance."""
    found: dict[str, Subject | None] = {}
    names = wanted.only.split(",")
    if "accept" in names:
        found["accept"] = await bare(wanted, servers, folder, has_pipeline=False)
    if "pipeline" in names:
        found["pipeline"] = await bare(wanted, servers, folder, has_pipeline=True)
    if "ours" in names:
        found["ours"] = await ours(wanted, servers, folder)
    subjects = [subject for subject in found.values() if subject is not None]
    if len(subjects) < len(found):
        return [], []
    return subjects, verdicts(found.get("accept") or Subject(""), found.get("ours") or Subject(""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = options(given)
    machine = Machine.here()
    with own_servers("floor", ["kafka", "cassandra"]) as (servers, folder):
        subjects, verdict = uvloop.run(measure(wanted, servers, folder))
    if not subjects:
        print("a ledger does not balance: no figures")
        return 1
    command = " ".join(["python -m loadtests.floor", *given])
    text = f"Command: `{command}`  \nMachine: {machine}\n\n{markdown(subjects, verdict)}\n"
    print(text)
    if wanted.markdown is not None:
        wanted.markdown.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
