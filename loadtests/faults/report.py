"""Writes docs/reliability.md from the results of a run."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

from loadtests.faults.row import Found

_HEAD = """# Reliability

This page is the output of `make faults` (`python -m loadtests.faults --write`). Each row is one fault on real parts:
Kafka, Cassandra, MinIO, two workers of `core` and of `whatsapp`, one of `mirror`, two API processes, and
`chat4all provider`. Three judges follow each row: the ledger of all 202s against the topics, the provider's own record
(twice, out of order), and `audit` (all views agree).

* *lost*: accepted with 202, and without a last word. *twice*: taken twice by the provider. *order*: conversations out
  of order at the provider. *FAILED*: with a reason, and reported so.
* *held*: most messages open at once. *still*: the longest time in which a partition had no SENT, from the begin of the
  fault. *on*: from the end of the fault until each partition had a SENT again.
* *503*: messages that the API refused, which their clients may repeat; *cut*: requests without an answer.
* *sees*: the alerts of `docker/observability` whose condition was true. A row lasts for seconds and an alert waits
  for minutes, so none would have fired unless the fault had lasted. The conditions of `Lag`, `ApiBehind` and
  `MirrorBehind` begin at 200 records and 5 s here, instead of 5,000 records and 60 s.

A process that is killed starts again at once, as under `chat4all worker` after a first crash.
"""


def document(results: Sequence[Found], missed: Sequence[str], seed: int, seconds: float) -> str:
    """Return the whole page. ``missed``: the names of rows that did not run."""
    bad = [found for found in results if not found.is_good]
    verdict = "all rows are good" if not bad else f"**{len(bad)} of {len(results)} rows are BAD**"
    loads = [found.load_average for found in results if found.load_average]
    load = f", load average {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    lines = [
        _HEAD,
        f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}: {len(results)} rows in {seconds / 60:.1f} minutes, {verdict}. "
        f"{os.cpu_count()} cores, {platform.system()}{load}.",
        _totals(results),
    ]
    if bad:
        lines.append("## What failed\n\n" + "\n".join(_failure(found) for found in bad))
    if missed:
        lines.append(f"## Not run\n\nThere was no time left for {len(missed)} rows: {', '.join(missed)}.")
    for group in dict.fromkeys(found.row.group for found in results):
        lines.append(_table(group, [found for found in results if found.row.group == group]))
    lines.append(_LIMITS)
    return "\n\n".join(lines) + "\n"


def _totals(results: Sequence[Found]) -> str:
    total = {
        name: sum(getattr(found, name) for found in results) for name in ("accepted", "lost", "twice", "disordered")
    }
    return (
        f"Together: {total['accepted']:,} messages accepted, {total['lost']} lost, {total['twice']} sent twice, "
        f"{total['disordered']} conversations out of order."
    )


def _failure(found: Found) -> str:
    return f"* *{found.row.name}*: " + "; ".join(" ".join(fault.split())[:400] for fault in found.faults)


def _table(group: str, results: Sequence[Found]) -> str:
    head = (
        f"## {group[0].upper()}{group[1:]}\n\n"
        "| | fault | accepted | lost | twice | order | FAILED | held | still (s) | on (s) | 503 / cut | sees |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(_line(found) for found in results)


def _line(found: Found) -> str:
    row = found.row
    how = f"**{row.name}**: {row.how}" if not row.name.startswith("kill") else row.how
    remark = f". {found.remark}" if found.remark else ""
    sees = "; ".join(f"{alert} {words}" for alert, words in found.signals.items()) or "nothing"
    cells = (
        "ok" if found.is_good else "BAD",
        f"{how}{remark}",
        f"{found.accepted}",
        f"{found.lost}",
        f"{found.twice}",
        f"{found.disordered}",
        f"{found.failed}",
        f"{found.held}",
        f"{found.still_seconds:.1f}",
        f"{found.on_seconds:.1f}",
        # what a run printed does not tell of refusals
        f"{found.refused} / {found.uncertain - found.refused}" if found.load_average else "–",
        sees,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


_LIMITS = """## What this does not show

* The brokers of the three-broker rows, and everything else, run on one machine: a fault of the machine is not a row.
* Cassandra is one node. It is never read-only here.
* The provider is the simulated one, so WhatsApp's own behaviour after an unknown outcome is not shown.
* Losses are counted over a run's minutes. [rounds.md](rounds.md) and `python -m loadtests.chaos` look for longer."""
