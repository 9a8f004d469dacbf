"""Locust's entry: ``locust -f loadtests/locust/locustfile.py``, or ``python -m loadtests.locust``, which starts it.

The options are environment variables (``options.py``). The run ends with the ledger and the report; the exit code is 3
if the ledger does not balance.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import gevent
import gevent.pool
from locust import LoadTestShape, events
from locust.env import Environment

from loadtests.locust.api import Account, LoadError, page_of
from loadtests.locust.histories import read_histories
from loadtests.locust.journeys import JOURNEYS, FileSender, GroupMember, Listener, Operator, Phone, Texter
from loadtests.locust.report import write
from loadtests.locust.results import results_of
from loadtests.locust.run_state import MOST_ACCOUNTS, RUN
from loadtests.locust.samples import EVERY_SECONDS
from loadtests.locust.shapes import chosen

__all__ = [
    "FileSender",
    "GroupMember",
    "Listener",
    "Operator",
    "Phone",
    "ShapeOfRun",
    "Texter",
]  # Locust looks for them here

log = logging.getLogger(__name__)

VOID = 3
NOT_RUN = 2
SIGN_UPS_AT_ONCE = 2
END_SECONDS, LOOK_SECONDS = 60.0, 0.05
LIMIT_SECONDS, LIMIT_P99_MS, LIMIT_ERRORS = 10, 1_000.0, 0.01


def choose() -> None:
    """Leave Locust the journeys whose tags are wanted."""
    wanted = chosen([journey.label for journey in JOURNEYS], RUN.options.tag_list)
    if not RUN.options.simulator:
        wanted -= {Phone.label}
    for journey in JOURNEYS:
        journey.abstract = journey.label not in wanted
        journey.host = RUN.options.host


choose()


class ShapeOfRun(LoadTestShape):  # type: ignore[misc]
    """Gives Locust the stages of the run's shape, and ends a run whose limit is broken."""

    def tick(self) -> tuple[int, float] | None:
        if not RUN.has_begun:  # the accounts are being made
            return RUN.shape.stages[0].users, RUN.shape.stages[0].per_second
        stage, now = RUN.shape.at(self.get_run_time()), time.monotonic()
        if stage is None:
            end_turns()
            return None
        RUN.recorder.enter(stage.name, now)
        if RUN.shape.ends_at_limit:
            answers, errors, p99_ms = RUN.recorder.recent(LIMIT_SECONDS, now)
            if p99_ms > LIMIT_P99_MS or errors > answers * LIMIT_ERRORS:
                RUN.limit_broken = f"{stage.name}: p99 {p99_ms:.0f} ms, {errors} errors of {answers}"
                end_turns()
            return None
        return stage.users, stage.per_second


def end_turns() -> None:
    """Let the turns that are under way come to their end: Locust cuts them short, and leaves doubts in the ledger."""
    RUN.is_over = True
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline and (RUN.under_way or len(RUN.book.arrived) < len(RUN.book.written)):
        gevent.sleep(LOOK_SECONDS)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def prepare(environment: Environment, **_: Any) -> None:
    """Make the accounts, and start the clock only then: a password's hash takes a tenth of a second."""
    began = time.monotonic()
    try:
        pool = gevent.pool.Pool(SIGN_UPS_AT_ONCE)
        count = max(3, min(MOST_ACCOUNTS, RUN.shape.most_users))
        RUN.accounts += pool.map(Account.signed_up, [RUN.options.host] * count)
    except LoadError as error:
        log.error("%s", error)
        environment.process_exit_code = NOT_RUN
        raise SystemExit(NOT_RUN) from error
    log.info("%d accounts in %.1f s", count, time.monotonic() - began)
    RUN.recorder.began = time.monotonic()
    if environment.shape_class is not None:
        environment.shape_class.reset_time()
    RUN.has_begun = True
    gevent.spawn(_sample)


def _sample() -> None:
    while True:
        RUN.scrape()
        gevent.sleep(EVERY_SECONDS)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def finish(environment: Environment, **_: Any) -> None:
    """Follow every message to its end, judge, and write the report."""
    if environment.runner is not None and environment.runner.state not in ("ready", "stopped"):
        environment.runner.stop()
    if environment.process_exit_code == NOT_RUN:
        return
    log.info("following %d messages to their end", len(RUN.book.accepted))
    try:
        histories = read_histories(
            RUN.book.conversations(),
            lambda conversation_id, cursor: page_of(RUN.owners[conversation_id], conversation_id, cursor),
            expected=lambda: len(RUN.book.accepted) + len(RUN.book.written),
        )
    except LoadError as error:
        log.error("VOID: the ledger cannot be read: %s", error)
        environment.process_exit_code = VOID
        return
    for end in RUN.at_end:
        end()
    balance = RUN.book.balance(histories)
    files = write(results_of(RUN, balance, histories), RUN.options.out)
    print(balance)
    print("report: " + " ".join(map(str, files)))
    failed = sum(RUN.recorder.errors.values())
    environment.process_exit_code = VOID if not balance.is_balanced else 1 if failed else 0
    if not balance.is_balanced:
        print("VOID")
