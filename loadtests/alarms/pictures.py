"""The dashboards as pages with plots of our own, from the same queries: Grafana is not everywhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

from docker.observability.dashboards import Dashboard, Panel
from loadtests.alarms.panels import Answer, Points
from loadtests.locust.plots import plot

MOST_SERIES = 10
_UNITS = {"reqps": "a second", "s": "ms", "bytes": "MiB", "Bps": "KiB a second", "percentunit": "%", "short": ""}
_FACTORS = {"s": 1_000.0, "bytes": 2.0**-20, "Bps": 2.0**-10, "percentunit": 100.0}
_STYLE = """<style>
body{font:13px/1.4 system-ui,sans-serif;margin:0;padding:16px;background:#111217;color:#ccccdc;width:1400px}
h1{font-size:18px;font-weight:500;margin:0 0 4px}p.about{color:#8e8ea0;margin:0 0 12px}
main{display:grid;grid-template-columns:1fr 1fr;gap:8px}
section{background:#181b1f;border:1px solid #2a2d33;border-radius:3px;padding:8px 12px}
h2{font-size:13px;font-weight:500;margin:0}figure{margin:0}figcaption{font-size:11px;color:#8e8ea0}
svg{width:100%;height:auto}svg text{font-size:13px;fill:#8e8ea0}.grid{stroke:#2a2d33}
.legend{margin:0}.legend span{margin-right:12px;font-size:11px}
.legend i{display:inline-block;width:10px;height:3px;margin-right:4px;vertical-align:middle}.none{color:#8e8ea0}
</style>"""


def pages(answers: Sequence[Answer], about: str) -> dict[str, str]:
    """Return a page for each dashboard, by its ``uid``. ``about``: the run, in one line."""
    made = {}
    for dashboard, group in groupby(answers, lambda each: each.dashboard):
        made[dashboard.uid] = _page(dashboard, list(group), about)
    return made


def _page(dashboard: Dashboard, answers: Sequence[Answer], about: str) -> str:
    panels = "".join(_section(each.panel, each.series) for each in answers)
    title = escape(f"Chat4All: {dashboard.title}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>{_STYLE}'
        f"<h1>{title}</h1><p class='about'>{escape(about)}</p><main>{panels}</main></html>"
    )


def _section(panel: Panel, series: Mapping[str, Points]) -> str:
    factor = _FACTORS.get(panel.unit, 1.0)
    highest = sorted(series, key=lambda name: -max(value for _, value in series[name]))[:MOST_SERIES]
    shown = {name: [(at, value * factor) for at, value in series[name]] for name in sorted(highest)}
    unit = _UNITS[panel.unit]
    if hidden := len(series) - len(shown):
        unit += f" (the {len(shown)} highest of {hidden + len(shown)})"
    return f"<section><h2>{escape(panel.title)}</h2>{plot(shown, unit)}</section>"
