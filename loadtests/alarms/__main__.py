"""Plants faults under load and watches a real Prometheus and Alertmanager; asks every query of every panel.

    python -m loadtests.alarms                                   # about a quarter of an hour
    python -m loadtests.alarms --only DeadLetters,BreakerOpen
    python -m loadtests.alarms --report docs/reports/alarms.md --pages /tmp/dashboards

It needs Prometheus and Alertmanager (Debian: apt-get install prometheus prometheus-alertmanager). Windows and waits of
the rules are divided by --factor; thresholds are those of production. Ctrl-C plants no further fault and reports. Exit
code 1 if an alert did not fire, did not resolve or was not alone, if a panel had no data, or if the ledger does not
balance; 2 if it could not run.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from devstack import Stack
from docker.observability.alerts import rules
from loadtests.alarms.panels import Answer, ask_all
from loadtests.alarms.pictures import pages
from loadtests.alarms.report import markdown, verdict
from loadtests.alarms.runner import Runner, say
from loadtests.alarms.scaled import scaled
from loadtests.alarms.watch import NoPrometheus, Watch, layout_in
from loadtests.alarms.world import WatchedSystem, World, thawed_at_the_end
from loadtests.command_line import parser_of
from loadtests.run import Run
from loadtests.servers import own_servers

QUIET_SECONDS = 40.0
SETTLE_SECONDS = 120.0


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = parser_of("loadtests.alarms", __doc__)
    parser.add_argument("--only", default="", help="alerts, separated by commas; default: all that can be planted")
    parser.add_argument("--per-second", type=float, default=20.0, help="messages of the load")
    parser.add_argument("--factor", type=float, default=12.0, help="by which the rules' durations are divided")
    parser.add_argument("--scrape", type=float, default=2.0, help="seconds from one scrape to the next, and its limit")
    parser.add_argument("--port", type=int, default=8_350, help="of the API; Prometheus and Alertmanager: the next two")
    parser.add_argument("--report", type=Path, help="write a report there")
    parser.add_argument("--pages", type=Path, help="write the dashboards as pages into this folder")
    return parser.parse_args(arguments)


async def measure(wanted: argparse.Namespace, stack: Stack, folder: Path, command: str) -> int:
    """Do everything; return the exit code."""
    system = WatchedSystem(stack, folder, wanted.port)
    layout = layout_in(folder / "observability", wanted.port + 1, wanted.port + 2)
    made = scaled(rules(), wanted.factor, 3 * wanted.scrape)
    async with system, Run(system) as run:
        watch = Watch(layout, system.targets, made, wanted.scrape)
        async with watch, World(system, run, wanted.per_second) as world:
            began = time.time()
            await world.upload()
            await watch.wait("the alerts of the start are over", lambda: not watch.firing, QUIET_SECONDS)
            watch.history.clear()
            say(f"all is well for {QUIET_SECONDS:g} s")
            await asyncio.sleep(QUIET_SECONDS)
            early = {name for name, times in watch.history.items() if times}
            runner = Runner(world, watch, filter(None, wanted.only.split(",")))
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, runner.stop)
            await runner.under_load()
            await world.end_load()
            answers: list[Answer] = await ask_all(watch, began, time.time())
            await run.settled(SETTLE_SECONDS)
            balance = run.ledger.balance(None, may_repeat=True)
            say(str(balance))
            await runner.last()
    about = f"{command}; machine load at the end {os.getloadavg()[0]:.1f}"
    if wanted.pages:
        wanted.pages.mkdir(parents=True, exist_ok=True)
        for name, page in pages(answers, about).items():
            (wanted.pages / f"{name}.html").write_text(page, encoding="utf-8")
    text = markdown(runner.outcomes, answers, balance, early, command, wanted.factor)
    print(text)
    if wanted.report:
        wanted.report.write_text(text, encoding="utf-8")
    return 0 if verdict(runner.outcomes, answers, balance, early) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant and watch. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = options(given)
    command = " ".join(["python -m loadtests.alarms", *map(shlex.quote, given)])
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of each attempt to reach a frozen broker
    try:
        with own_servers("alarms", ["kafka", "cassandra"]) as (stack, folder), thawed_at_the_end(stack):
            return uvloop.run(measure(wanted, stack, folder, command))
    except NoPrometheus as error:
        print(f"{error}; Debian: apt-get install prometheus prometheus-alertmanager", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
