"""`make run OBSERVABILITY=1`: the servers that a machine has, their files, and a word on those that it has not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from app.roles import ROLES
from app.settings import Settings
from devstack import StackConfig
from docker.observability.local import Layout, Targets, specs, write
from docker.observability.run import targets, words

ROOT = Path(__file__).parents[2]
DEBIAN = {"prometheus": "/usr/bin/prometheus", "prometheus-alertmanager": "/usr/bin/prometheus-alertmanager"}


def test_a_machine_with_debians_packages_has_two_of_the_three(tmp_path: Path) -> None:
    found, lacking = specs(Layout(tmp_path), DEBIAN)
    assert [(spec.name, spec.command[0]) for spec in found] == [
        ("prometheus", "/usr/bin/prometheus"),
        ("alertmanager", "/usr/bin/prometheus-alertmanager"),
    ]
    assert lacking == ["grafana"]


def test_a_machine_without_any_is_told_how_to_get_them(tmp_path: Path) -> None:
    found, lacking = specs(Layout(tmp_path), {})
    assert not found
    text = words(Layout(tmp_path), [], lacking)
    assert "apt-get install prometheus" in text
    assert all(name in text for name in ("prometheus", "alertmanager", "grafana"))


def test_every_server_listens_on_loopback_at_its_own_port(tmp_path: Path) -> None:
    layout = Layout.from_environ(tmp_path, {"CHAT4ALL_PROMETHEUS_PORT": "8351", "CHAT4ALL_GRAFANA_PORT": "8352"})
    found, _ = specs(layout, {**DEBIAN, "grafana-server": "/usr/sbin/grafana-server"})
    prometheus, alertmanager, grafana = found
    assert "--web.listen-address=127.0.0.1:8351" in prometheus.command
    assert "--web.listen-address=127.0.0.1:9093" in alertmanager.command
    assert (grafana.environ["GF_SERVER_HTTP_ADDR"], grafana.environ["GF_SERVER_HTTP_PORT"]) == ("127.0.0.1", "8352")


def test_prometheus_asks_the_api_and_a_worker_of_each_role(tmp_path: Path) -> None:
    found = targets(Settings(port=8080, metrics_port=8082))
    assert found.api == ["127.0.0.1:8080"]
    assert found.workers == [f"127.0.0.1:{8082 + n}" for n in range(len(ROLES))]
    assert found.ledger == "127.0.0.1:8081"


def test_the_files_lead_to_each_other(tmp_path: Path) -> None:
    write(Layout(tmp_path, 8351, 8352), Targets(["127.0.0.1:8080"], ["127.0.0.1:8082"], "127.0.0.1:8081"))
    prometheus = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    assert prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:8352"]
    jobs = {each["job_name"] for each in prometheus["scrape_configs"]}
    assert jobs == {"api", "worker", "ledger", "prometheus"}, "the names that the alerts ask for"
    assert all((tmp_path / name).exists() for name in prometheus["rule_files"])
    source = yaml.safe_load((tmp_path / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["url"] == "http://127.0.0.1:8351"
    provider = yaml.safe_load((tmp_path / "grafana/provisioning/dashboards/chat4all.yml").read_text())
    folder = Path(provider["providers"][0]["options"]["path"])
    assert len(list(folder.glob("*.json"))) == 5


def test_a_port_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="soon"):
        Layout.from_environ(tmp_path, {"CHAT4ALL_PROMETHEUS_PORT": "soon"})


def test_a_supervisor_that_ends_it_ends_the_command_in_order(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "sleep"):  # and no Prometheus
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    command = "trap 'echo in order; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    environ = {**os.environ, "PATH": str(tmp_path / "bin"), "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "docker.observability.run", "sh", "-c", command]
    with subprocess.Popen(program, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert "up\n" in lines
        process.send_signal(signal.SIGTERM)
        assert list(lines) == ["in order\n"]
        assert process.wait(20) == 3


def test_its_usual_ports_are_none_of_those_that_the_system_takes(tmp_path: Path) -> None:
    layout, settings = Layout(tmp_path), Settings()
    ours = [layout.prometheus, layout.alertmanager, layout.grafana]
    stack = StackConfig.from_environment({})
    servers = [getattr(stack, each.name) for each in fields(StackConfig) if each.name.endswith("_port")]
    processes = [settings.port, *range(settings.metrics_port, settings.metrics_port + 40)]
    assert not set(ours) & {*servers, *processes}
    assert len({*servers, settings.port}) == len(servers) + 1
