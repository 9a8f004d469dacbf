"""What Prometheus asks: each process by its own address, for processes behind one port hide each other."""

from __future__ import annotations

from typing import Any

SCRAPE_SECONDS = 5
API = ("api-1:8080", "api-2:8080")
WORKERS = ("core", "mirror", "whatsapp", "instagram", "telegram")
METRICS_PORT = 8082
LEDGER = "ledger:8081"


def prometheus() -> dict[str, Any]:
    """Return ``prometheus.yml``. Workers are found by DNS, so ``--scale`` needs no change here."""
    workers = [
        {
            "job_name": f"worker-{role}",
            "dns_sd_configs": [
                {"names": [f"worker-{role}"], "type": "A", "port": METRICS_PORT, "refresh_interval": "5s"}
            ],
            "relabel_configs": [{"target_label": "job", "replacement": "worker"}],
        }
        for role in WORKERS
    ]
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
        "rule_files": ["/etc/prometheus/rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [
            {"job_name": "api", "static_configs": [{"targets": list(API)}]},
            *workers,
            {"job_name": "ledger", "static_configs": [{"targets": [LEDGER]}]},
            {"job_name": "prometheus", "static_configs": [{"targets": ["localhost:9090"]}]},
        ],
    }


def alertmanager() -> dict[str, Any]:
    """Return ``alertmanager.yml``: one place that receives everything, to be filled in by the operator.

    While the cause of everything is known (a process is away), what follows from it is kept quiet.
    """
    return {
        "route": {
            "receiver": "operator",
            "group_by": ["alertname"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": [{"receiver": "operator", "matchers": ['severity="page"'], "repeat_interval": "1h"}],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="RoleWithoutWorker"'],
                "target_matchers": ['alertname="Lag"'],
                "equal": ["role"],
            }
        ],
        "receivers": [{"name": "operator"}],
    }


def grafana_source() -> dict[str, Any]:
    """Return Grafana's data source."""
    source = {"name": "Prometheus", "uid": "prometheus", "type": "prometheus", "url": "http://prometheus:9090"}
    return {"apiVersion": 1, "datasources": [{**source, "isDefault": True, "access": "proxy"}]}


def grafana_provider() -> dict[str, Any]:
    """Return where Grafana finds the dashboards."""
    provider = {"name": "chat4all", "type": "file", "options": {"path": "/var/lib/grafana/dashboards"}}
    return {"apiVersion": 1, "providers": [provider]}
