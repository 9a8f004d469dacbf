"""Alerts and the rules that they stand on. Each has a trial: series that make it fire and resolve, others that do not.

A trial's series are in the notation of ``promtool test rules``. Every alert has a section of its name in
docs/operations.md: what it means, what to look at, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docker.observability.alert import Alert, Recording
from docker.observability.api_alerts import API_ALERTS
from docker.observability.ledger_alerts import LEDGER_ALERTS
from docker.observability.recordings import RECORDINGS
from docker.observability.worker_alerts import WORKER_ALERTS

RUNBOOK = "docs/operations.md"
ALERTS = (*API_ALERTS, *WORKER_ALERTS, *LEDGER_ALERTS)


def rules() -> dict[str, Any]:
    """Return ``rules.yml``."""
    records = [{"record": each.name, "expr": each.expression} for each in RECORDINGS]
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
    """Return the file for ``promtool test rules``: each recording has its value, and each alert fires and resolves."""
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            *(_recorded(each) for each in RECORDINGS),
            *(test for alert in ALERTS for test in (_fires(alert), _is_quiet(alert))),
        ],
    }


def _recorded(recording: Recording) -> dict[str, Any]:
    samples = [{"labels": labels, "value": value} for labels, value in recording.samples]
    return {
        **_test(f"{recording.name} is recorded", recording.series),
        "promql_expr_test": [{"expr": recording.name, "eval_time": "60m", "exp_samples": samples}],
    }


def _fires(alert: Alert) -> dict[str, Any]:
    """Return the test in which an alert fires and is resolved."""
    trial, rule = alert.trial, _rule(alert)
    expected = {"exp_labels": {**trial.labels, "severity": alert.severity}, "exp_annotations": rule["annotations"]}
    series = [(name, f"{values} {later}") for name, values, later in trial.bad]
    looks: list[tuple[str, list[Any]]] = [(trial.fires_after, [expected]), (trial.resolved_after, [])]
    return {
        **_test(f"{alert.name}{alert.role} fires and is resolved", [*series, *_others(alert)]),
        "alert_rule_test": [_look(alert, at, alerts) for at, alerts in looks],
    }


def _is_quiet(alert: Alert) -> dict[str, Any]:
    return {
        **_test(f"{alert.name}{alert.role} is quiet", [*alert.trial.good, *_others(alert)]),
        "alert_rule_test": [_look(alert, alert.trial.fires_after, [])],
    }


def _others(alert: Alert) -> list[tuple[str, str]]:
    """Return series that keep the other roles' alerts of the same name quiet."""
    return [
        (f'process_start_time_seconds{{job="worker",role="{role}",instance="o"}}', "1x800")
        for role in ("core", "mirror", "whatsapp", "instagram", "telegram")
        if alert.role and role != alert.role
    ]


def _test(name: str, series: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": series_name, "values": values} for series_name, values in series],
    }


def _look(alert: Alert, at: str, alerts: Sequence[Any]) -> dict[str, Any]:
    return {"eval_time": at, "alertname": alert.name, "exp_alerts": list(alerts)}
