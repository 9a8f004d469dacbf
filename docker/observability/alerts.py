"""Alerts and the rules that they stand on. Each alert has a trial: series that make it fire, and series that do not.

A trial's series are in the notation of ``promtool test rules``. Every alert has a section of its name in
docs/operations.md: what it means, what to look at, what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docker.observability.alert import Alert
from docker.observability.api_alerts import API_ALERTS, recordings
from docker.observability.worker_alerts import WORKER_ALERTS

RUNBOOK = "docs/operations.md"
ALERTS = (*API_ALERTS, *WORKER_ALERTS)


def rules() -> dict[str, Any]:
    """Return ``rules.yml``."""
    records = [{"record": name, "expr": expression} for name, expression in recordings().items()]
    return {
        "groups": [
            {"name": "chat4all-recordings", "rules": records},
            {"name": "chat4all-alerts", "rules": [_rule(alert) for alert in ALERTS]},
        ]
    }


def _rule(alert: Alert) -> dict[str, Any]:
    page = f"{RUNBOOK}#{alert.name.lower()}"
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasts,
        "labels": {"severity": alert.severity, **({"role": alert.role} if alert.role else {})},
        "annotations": {"summary": alert.about, "runbook": page},
    }


def trials() -> dict[str, Any]:
    """Return the file for ``promtool test rules``: each alert fires on its bad series and not on its good ones."""
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [test for alert in ALERTS for test in _tests(alert)],
    }


def _tests(alert: Alert) -> Iterator[dict[str, Any]]:
    for kind, series in (("fires", alert.trial.bad), ("is quiet", alert.trial.good)):
        expected = []
        if kind == "fires":
            rule = _rule(alert)
            labels = {**alert.trial.labels, "severity": alert.severity}
            expected = [{"exp_labels": labels, "exp_annotations": rule["annotations"]}]
        others = [  # alerts of one name stand for several roles: the others are well
            (f'process_start_time_seconds{{job="worker",role="{role}",instance="o"}}', "1x800")
            for role in ("core", "mirror", "whatsapp", "instagram", "telegram")
            if alert.role and role != alert.role
        ]
        yield {
            "name": f"{alert.name} {kind}",
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in (*series, *others)],
            "alert_rule_test": [
                {"eval_time": alert.trial.fires_after, "alertname": alert.name, "exp_alerts": expected}
            ],
        }
