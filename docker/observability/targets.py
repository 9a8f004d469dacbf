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
    """Return Grafana's data sources: metrics, logs and traces, each leading to the others."""
    to_trace = {
        "name": "trace",
        "matcherRegex": '"trace_id": ?"(\\w+)"',
        "datasourceUid": "jaeger",
        "url": "$${__value.raw}",
    }
    sources: list[dict[str, Any]] = [
        {
            "name": "Prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "url": "http://prometheus:9090",
            "isDefault": True,
        },
        {
            "name": "Loki",
            "uid": "loki",
            "type": "loki",
            "url": "http://loki:3100",
            "jsonData": {"derivedFields": [to_trace]},
        },
        {"name": "Jaeger", "uid": "jaeger", "type": "jaeger", "url": "http://jaeger:16686"},
    ]
    return {"apiVersion": 1, "datasources": [{**each, "access": "proxy"} for each in sources]}


def loki() -> dict[str, Any]:
    """Return ``loki.yml``: one process, files in a volume, a week of logs."""
    return {
        "auth_enabled": False,
        "server": {"http_listen_port": 3100},
        "common": {
            "path_prefix": "/loki",
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {"filesystem": {"chunks_directory": "/loki/chunks", "rules_directory": "/loki/rules"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2025-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "limits_config": {"retention_period": "168h"},
        "compactor": {
            "working_directory": "/loki/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
        "analytics": {"reporting_enabled": False},
    }


ALLOY = """// The output of the containers of this compose project to Loki, with the service's name.
discovery.docker "chat4all" {
  host = "unix:///var/run/docker.sock"

  filter {
    name   = "label"
    values = ["com.docker.compose.project"]
  }
}

discovery.relabel "chat4all" {
  targets = discovery.docker.chat4all.targets

  rule {
    source_labels = ["__meta_docker_container_label_com_docker_compose_service"]
    target_label  = "service"
  }
}

loki.source.docker "chat4all" {
  host       = "unix:///var/run/docker.sock"
  targets    = discovery.relabel.chat4all.output
  forward_to = [loki.write.chat4all.receiver]
}

loki.write "chat4all" {
  endpoint {
    url = "http://loki:3100/loki/api/v1/push"
  }
}
"""


def grafana_provider() -> dict[str, Any]:
    """Return where Grafana finds the dashboards."""
    provider = {"name": "chat4all", "type": "file", "options": {"path": "/var/lib/grafana/dashboards"}}
    return {"apiVersion": 1, "providers": [provider]}
