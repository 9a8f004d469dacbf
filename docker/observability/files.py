"""The files of the description, by their paths below this folder. Pure; ``__main__.py`` writes them."""

from __future__ import annotations

import json
import re

from docker.observability.alerts import ALERTS, rules, trials
from docker.observability.dashboards import DASHBOARDS, grafana
from docker.observability.recordings import RECORDINGS
from docker.observability.targets import ALLOY, alertmanager, grafana_provider, grafana_source, loki, prometheus
from docker.yaml_text import yaml_text

_MADE = "# Made by `python -m docker.observability`; change the description there.\n"
_NAME = re.compile(r"\b(?:chat4all|process)_\w+")
_SUFFIX = re.compile(r"_(?:bucket|count|sum)$")


def files() -> dict[str, str]:
    """Return the content of each file."""
    made = {
        "prometheus.yml": prometheus(),
        "rules.yml": rules(),
        "rules_test.yml": trials(),
        "alertmanager.yml": alertmanager(),
        "loki.yml": loki(),
        "grafana/datasources/prometheus.yml": grafana_source(),
        "grafana/provider/chat4all.yml": grafana_provider(),
    }
    texts = {name: _MADE + yaml_text(value, 200) for name, value in made.items()}
    texts["config.alloy"] = _MADE.replace("#", "//") + ALLOY
    for dashboard in DASHBOARDS:
        text = json.dumps(grafana(dashboard), indent=1, ensure_ascii=False)
        texts[f"grafana/dashboards/{dashboard.uid}.json"] = text + "\n"
    return texts


def expressions() -> list[str]:
    """Return every expression of a rule, an alert or a panel."""
    panels = [expression for each in DASHBOARDS for panel in each.panels for expression, _ in panel.queries]
    return [*(each.expression for each in RECORDINGS), *(alert.expression for alert in ALERTS), *panels]


def metrics_named() -> set[str]:
    """Return the metrics of the product that the description names, without the endings of histograms."""
    text = "\n".join(expressions())
    return {_SUFFIX.sub("", name) for name in _NAME.findall(text)}
