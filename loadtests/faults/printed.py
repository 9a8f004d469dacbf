"""Reads the printed lines of a run, to write its page even after it was ended early."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loadtests.faults.matrix import MATRIX
from loadtests.faults.row import Found

_LINE = re.compile(
    r"(?:ok |BAD) (?P<name>.+?): (?P<accepted>\d+) accepted, (?P<lost>\d+) lost, (?P<twice>\d+) twice, "
    r"(?P<disordered>\d+) out of order, (?P<failed>\d+) FAILED, (?P<held>\d+) held at most; "
    r"still (?P<still>[\d.]+) s, on after (?P<on>[\d.]+) s; (?P<restarts>\d+) restarts; audit (?P<audit>.*?); "
    r"sees (?P<sees>.*?); (?P<seconds>\d+) s ?(?P<remark>.*)"
)
_FAULT = "      "


def found_in(lines: Iterable[str]) -> list[Found]:
    """Return the results in ``lines``, in their order. Lines of another kind are passed over."""
    rows, results = {row.name: row for row in MATRIX}, list[Found]()
    for line in lines:
        match = _LINE.match(line)
        if match is not None and match["name"] in rows:
            sees = [] if match["sees"] == "nothing" else match["sees"].split(", ")
            results.append(
                Found(
                    rows[match["name"]],
                    accepted=int(match["accepted"]),
                    lost=int(match["lost"]),
                    twice=int(match["twice"]),
                    disordered=int(match["disordered"]),
                    failed=int(match["failed"]),
                    held=int(match["held"]),
                    still_seconds=float(match["still"]),
                    on_seconds=float(match["on"]),
                    restarts=int(match["restarts"]),
                    row_seconds=float(match["seconds"]),
                    audit=match["audit"],
                    remark=match["remark"].strip(),
                    signals=dict.fromkeys(sees, "was seen"),
                )
            )
        elif line.startswith(_FAULT) and results and not line.startswith(_FAULT + " "):
            results[-1].faults.append(line.strip())
    return results
