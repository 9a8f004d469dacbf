"""Where the time of a run went: seconds by folder of tests, added over all processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath

import pytest


def by_folder(reports: Iterable[pytest.TestReport]) -> dict[str, float]:
    """Return the seconds that set-ups, calls and tear-downs of each folder took."""
    seconds: dict[str, float] = defaultdict(float)
    for report in reports:
        seconds[PurePath(report.nodeid.partition("::")[0]).parent.name] += report.duration
    return seconds


def line(stats: dict[str, Sequence[object]]) -> str:
    """Return one line for the summary, such as "seconds by folder: e2e 530, contract 61"."""
    reports = [one for found in stats.values() for one in found if isinstance(one, pytest.TestReport)]
    parts = (f"{folder} {seconds:.0f}" for folder, seconds in sorted(by_folder(reports).items()))
    return f"seconds by folder: {', '.join(parts)}"
