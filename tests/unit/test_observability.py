"""Alerts and dashboards: made from one description, of metrics that the product has, with a page for each alert."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.metrics import Metrics as WorkerMetrics
from app.roles import ROLES
from docker.observability.alerts import ALERTS
from docker.observability.dashboards import DASHBOARDS, REFRESH, grafana
from docker.observability.files import expressions, files, metrics_named
from docker.observability.recordings import RECORDINGS
from docker.observability.targets import WORKERS
from web.http.metrics import Metrics as ApiMetrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker" / "observability"
_LITERAL = re.compile(r'"(chat4all_\w+|process_\w+)"')


def metrics_of_the_product() -> set[str]:
    """Return the names that the processes expose: those of the registries, and the gauges added by ``watch``."""
    registries = (WorkerMetrics("core").registry, ApiMetrics()._registry)
    names = {collector.name for registry in registries for collector in registry.get_all()}
    sources = [path for folder in ("app", "web") for path in (ROOT / folder).rglob("*.py")]
    return names | {name for path in sources for name in _LITERAL.findall(path.read_text())}


def test_the_files_are_those_of_the_description() -> None:
    for name, text in files().items():
        assert (FOLDER / name).read_text() == text, f"{name}: run python -m docker.observability"


def test_every_metric_that_is_named_is_one_of_the_product() -> None:
    assert metrics_named() <= metrics_of_the_product()
    assert len(metrics_named()) > 25


def test_every_recording_that_is_used_is_made() -> None:
    used = set(re.findall(r"chat4all:[\w:]+", "\n".join(expressions())))
    assert used <= {each.name for each in RECORDINGS}


def test_a_metric_of_another_name_would_be_noticed() -> None:
    assert "chat4all_messages_sent_total" in metrics_of_the_product()
    assert "chat4all_messages_sent" not in metrics_of_the_product()


def test_every_role_is_scraped() -> None:
    assert set(WORKERS) == set(ROLES)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}{alert.role}")
def test_every_alert_has_a_page_and_a_sentence(alert: object) -> None:
    name, about = getattr(alert, "name", ""), getattr(alert, "about", "")
    assert f"### {name}\n" in (ROOT / "docs" / "operations.md").read_text()
    assert about.endswith(".")


def test_every_rule_is_tried() -> None:
    tests = files()["rules_test.yml"]
    for alert in ALERTS:
        assert f"name: {alert.name}{alert.role} fires and is resolved\n" in tests
        assert f"name: {alert.name}{alert.role} is quiet\n" in tests
    for recording in RECORDINGS:
        assert f"{recording.name} is recorded" in tests


def test_the_dashboards_are_those_of_the_document_and_fresh() -> None:
    titles = [dashboard.title for dashboard in DASHBOARDS]
    assert titles[:4] == ["System Overview", "API Service", "Router Worker", "Connectors"]
    assert all(grafana(dashboard)["refresh"] == REFRESH == "5s" for dashboard in DASHBOARDS)


def test_no_two_panels_of_a_dashboard_lie_on_each_other() -> None:
    for dashboard in DASHBOARDS:
        places = [tuple(panel["gridPos"].values()) for panel in grafana(dashboard)["panels"]]
        assert len(set(places)) == len(places)
