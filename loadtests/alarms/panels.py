"""Asks a real Prometheus every query of every panel, over the time of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker.observability.dashboards import DASHBOARDS, Dashboard, Panel
from loadtests.alarms.watch import Watch

MOST_STEPS = 400
_EVERY_ACCOUNT = ".*"
_NO_LABEL = re.compile(r"\{\{\w+\}\}")
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the queries of a panel gave: points by legend, at seconds since the start. ``empty``: queries without."""

    dashboard: Dashboard
    panel: Panel
    series: Mapping[str, Points]
    empty: Sequence[str]

    @property
    def points(self) -> int:
        """How many points there are."""
        return sum(map(len, self.series.values()))


async def ask_all(watch: Watch, began: float, ended: float) -> list[Answer]:
    """Return the answer to each panel. ``began`` and ``ended``: Unix seconds."""
    step = max(2.0, (ended - began) / MOST_STEPS)
    return [
        await _ask(watch, dashboard, panel, began, ended, step)
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
    ]


async def _ask(watch: Watch, dashboard: Dashboard, panel: Panel, began: float, ended: float, step: float) -> Answer:
    series: dict[str, Points] = {}
    empty: list[str] = []
    for expression, legend in panel.queries:
        found = await watch.values(expression.replace("$account", _EVERY_ACCOUNT), began, ended, step)
        named = {_legend(legend, each["metric"]): _points(each["values"], began) for each in found}
        if not any(named.values()):
            empty.append(expression)
        series |= {name: points for name, points in named.items() if points}
    return Answer(dashboard, panel, series, empty)


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        pattern = pattern.replace(f"{{{{{name}}}}}", value)
    return _NO_LABEL.sub("", pattern).strip() or "none"


def _points(values: Sequence[Any], began: float) -> Points:
    """Return the points that are numbers: a quantile of nothing is none."""
    made = ((float(at) - began, float(value)) for at, value in values)
    return [(at, value) for at, value in made if value == value and abs(value) != float("inf")]
