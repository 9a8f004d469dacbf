"""The report of a run: each alert's way, each panel's data, the ledger. Pure."""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from datetime import UTC, datetime

from loadtests.alarms.panels import Answer
from loadtests.alarms.runner import Outcome
from loadtests.ledger import Balance
from loadtests.locust.results import commit


def verdict(outcomes: Sequence[Outcome], answers: Sequence[Answer], balance: Balance, early: Set[str]) -> bool:
    """Return whether everything is as it must be. ``early``: alerts that fired while all was well."""
    return not early and balance.is_balanced and not missing(answers) and all(each.is_right for each in outcomes)


def missing(answers: Sequence[Answer]) -> list[str]:
    """Return the panels of which a query had no data."""
    return [f"{each.dashboard.title}: {each.panel.title}" for each in answers if each.empty]


def markdown(
    outcomes: Sequence[Outcome],
    answers: Sequence[Answer],
    balance: Balance,
    early: Set[str],
    command: str,
    factor: float,
) -> str:
    """Return the report."""
    is_right = verdict(outcomes, answers, balance, early)
    parts = [
        "# Alerts and dashboards on a running system",
        f"{'Everything is as it must be' if is_right else '**NOT as it must be**'}. `{command}`, "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit `{commit()}`, {os.cpu_count()} cores, "
        f"load average {os.getloadavg()[2]:.1f} over the last 15 minutes.",
        f"The rules are those of production, with windows and waits divided by {factor:g}; thresholds are unchanged. "
        f"While all was well, {_named(early)} fired.",
        "## Alerts",
        _table(
            ("fault", "alert", "fired after, s", "at Alertmanager, s later", "resolved after its end, s", "others"),
            [_row(each) for each in outcomes],
        ),
        "## Panels",
        _table(("dashboard", "panel", "queries", "series", "points"), [_panel(each) for each in answers]),
        f"Without data: {_named(missing(answers))}.",
        "## Ledger",
        f"```\n{balance}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _row(each: Outcome) -> tuple[str, ...]:
    times = (each.fired_seconds, each.received_seconds, each.resolved_seconds)
    shown = ("**never**" if seconds is None else f"{seconds:.0f}" for seconds in times)
    return each.fault, each.alert, *shown, ", ".join(sorted(each.strangers)) or "none"


def _panel(each: Answer) -> tuple[str, ...]:
    queries = f"{len(each.panel.queries)}" + (f", {len(each.empty)} without data" if each.empty else "")
    return each.dashboard.title, each.panel.title, queries, f"{len(each.series)}", f"{each.points:,}"


def _named(names: Sequence[str] | Set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
