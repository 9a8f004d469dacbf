"""Prometheus, Alertmanager and Grafana on this machine, without containers, as far as it has them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.supervisor import ProcessSpec
from docker.observability.alerts import rules
from docker.observability.files import files
from docker.observability.targets import SCRAPE_SECONDS, alertmanager, grafana_provider, grafana_source
from docker.yaml_text import yaml_text

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
_DIE_WITH_PARENT = ROOT / "cli" / "die_with_parent.py"
_ALERTMANAGERS = ("alertmanager", "prometheus-alertmanager")  # Debian's name is the second
_GRAFANAS = ("grafana-server", "grafana")
_GRAFANA_HOMES = ("/usr/share/grafana", "/usr/local/share/grafana")
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the servers keep their files, and the ports that they listen on."""

    folder: Path
    prometheus: int = 9090
    alertmanager: int = 9093
    grafana: int = 3000

    @classmethod
    def from_environ(cls, folder: Path, environ: Mapping[str, str]) -> Layout:
        """Return the layout with the ports of ``CHAT4ALL_PROMETHEUS_PORT`` and the others, as compose.yaml has them."""

        def port(name: str, usual: int) -> int:
            return int(environ.get(f"CHAT4ALL_{name}_PORT") or usual)

        return cls(folder, port("PROMETHEUS", 9090), port("ALERTMANAGER", 9093), port("GRAFANA", 3000))

    def port_of(self, name: str) -> int:
        """Return the port of a server."""
        return {"prometheus": self.prometheus, "alertmanager": self.alertmanager, "grafana": self.grafana}[name]


@dataclass(frozen=True, slots=True)
class Targets:
    """Addresses (``host:port``) of the processes to scrape. ``ledger``: "" where nobody keeps one."""

    api: Sequence[str]
    workers: Sequence[str]
    ledger: str


def scraping(targets: Targets, layout: Layout, seconds: float) -> dict[str, Any]:
    """Return ``prometheus.yml`` for processes at known addresses, scraped every ``seconds``."""
    return {
        "global": {"scrape_interval": _duration(seconds), "evaluation_interval": _duration(seconds)},
        "rule_files": ["rules.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"{LOOPBACK}:{layout.alertmanager}"]}]}],
        },
        "scrape_configs": [
            {"job_name": "api", "static_configs": [{"targets": list(targets.api)}]},
            {"job_name": "worker", "static_configs": [{"targets": list(targets.workers)}]},
            {"job_name": "ledger", "static_configs": [{"targets": [targets.ledger] if targets.ledger else []}]},
            {"job_name": "prometheus", "static_configs": [{"targets": [f"{LOOPBACK}:{layout.prometheus}"]}]},
        ],
    }


def write(
    layout: Layout,
    targets: Targets,
    *,
    seconds: float = SCRAPE_SECONDS,
    with_rules: Mapping[str, Any] | None = None,
) -> None:
    """Write the servers' files. ``with_rules``: instead of those of the description."""
    source = grafana_source()
    source["datasources"] = source["datasources"][:1]  # Loki and Jaeger are in the compose file only
    source["datasources"][0]["url"] = f"http://{LOOPBACK}:{layout.prometheus}"
    provider = grafana_provider()
    provider["providers"][0]["options"]["path"] = str(layout.folder / "grafana" / "dashboards")
    made = {
        "prometheus.yml": scraping(targets, layout, seconds),
        "rules.yml": with_rules or rules(),
        "alertmanager.yml": alertmanager(),
        "grafana/provisioning/datasources/prometheus.yml": source,
        "grafana/provisioning/dashboards/chat4all.yml": provider,
    }
    texts = {name: yaml_text(value, 200) for name, value in made.items()}
    texts |= {name: text for name, text in files().items() if name.startswith("grafana/dashboards/")}
    for name, text in texts.items():
        path = layout.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def specs(layout: Layout, on_path: Mapping[str, str | None] | None = None) -> tuple[list[ProcessSpec], list[str]]:
    """Return the servers that this machine has, and the names of those that it has not.

    ``on_path``: program by name; default: looked up.
    """

    def find(names: Sequence[str]) -> str | None:
        found = (shutil.which(name) if on_path is None else on_path.get(name) for name in names)
        return next(filter(None, found), None)

    programs = {
        "prometheus": find(["prometheus"]),
        "alertmanager": find(_ALERTMANAGERS),
        "grafana": find(_GRAFANAS),
    }
    made = [
        ProcessSpec(name, _command(name, program, layout), _environ(name, layout), layout.folder / f"{name}.log", 0)
        for name, program in programs.items()
        if program
    ]
    return made, [name for name, program in programs.items() if not program]


def _command(name: str, program: str, layout: Layout) -> tuple[str, ...]:
    folder = layout.folder
    if name == "prometheus":
        return (
            *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus"),
            *("--storage.tsdb.retention.time=15d", f"--web.listen-address={LOOPBACK}:{layout.prometheus}"),
        )
    if name == "alertmanager":
        return (
            *(program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager"),
            *(f"--web.listen-address={LOOPBACK}:{layout.alertmanager}", "--cluster.listen-address="),
        )
    home = next((each for each in _GRAFANA_HOMES if Path(each).is_dir()), "")
    server = () if Path(program).name == "grafana-server" else ("server",)
    return (program, *server, *(("--homepath", home) if home else ()))


def _environ(name: str, layout: Layout) -> dict[str, str]:
    if name != "grafana":
        return {}
    return {
        "GF_PATHS_DATA": str(layout.folder / "grafana" / "data"),
        "GF_PATHS_LOGS": str(layout.folder / "grafana" / "logs"),
        "GF_PATHS_PROVISIONING": str(layout.folder / "grafana" / "provisioning"),
        "GF_SERVER_HTTP_ADDR": LOOPBACK,
        "GF_SERVER_HTTP_PORT": str(layout.grafana),
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    }


def start(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start a server; it ends with this process, however that ends. Its output goes to ```spec.output```."""
    assert spec.output is not None
    with spec.output.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid()), *spec.command],
            env={**os.environ, **spec.environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End servers, by force after ``STOP_SECONDS``."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
