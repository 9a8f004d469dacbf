"""The dashboards: those that the user's document names, and one for an account. Refreshed every five seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

REFRESH = "5s"
WIDTH, HEIGHT, COLUMNS = 12, 8, 2
_SEND = 'method="POST",route="/v1/messages"'


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot. ``queries``: expression and legend. ``unit``: as Grafana names it."""

    title: str
    unit: str
    queries: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """``variable``: a label to choose by, and the metric that has its values."""

    title: str
    uid: str
    panels: Sequence[Panel]
    variable: tuple[str, str] = ("", "")


def _quantiles(metric: str, more: str = "", by: str = "le") -> list[tuple[str, str]]:
    return [
        (f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{more}[1m])))", f"p{share * 100:g}")
        for share in (0.5, 0.95, 0.99)
    ]


OVERVIEW = Dashboard(
    "System Overview",
    "chat4all-overview",
    (
        Panel("Accepted", "reqps", [("sum(rate(chat4all_messages_accepted_total[1m]))", "messages a second")]),
        Panel(
            "Delivered to the channels",
            "reqps",
            [("sum by (channel, status) (rate(chat4all_messages_sent_total[1m]))", "{{channel}} {{status}}")],
        ),
        Panel(
            "Ledger: accepted less sent, failed, dead and waiting",
            "short",
            [
                ("sum(chat4all_ledger_difference)", "difference"),
                ('sum by (state) (chat4all_ledger_deliveries{state=~"unrouted|requested|queued"})', "{{state}}"),
            ],
        ),
        Panel("From acceptance to SENT", "s", _quantiles("chat4all_accepted_to_sent_seconds")),
        Panel("Accepting a message", "s", _quantiles("chat4all_http_request_seconds", f"{{{_SEND}}}")),
        Panel("Lag by role", "short", [("sum by (role) (chat4all_lag_records)", "{{role}}")]),
        Panel("Processes that answer", "short", [('sum by (job) (up{job=~"api|worker"})', "{{job}}")]),
        Panel("Alerts", "short", [('sum by (alertname) (ALERTS{alertstate="firing"}) or vector(0)', "{{alertname}}")]),
        Panel("Memory", "bytes", [('process_resident_memory_bytes{job=~"api|worker"}', "{{role}}{{process}}")]),
        Panel("CPU", "short", [('rate(process_cpu_seconds_total{job=~"api|worker"}[1m])', "{{role}}{{process}}")]),
    ),
)
API = Dashboard(
    "API Service",
    "chat4all-api",
    (
        Panel("Requests", "reqps", [("sum by (route) (rate(chat4all_http_request_seconds_count[1m]))", "{{route}}")]),
        Panel(
            "Answers by status",
            "reqps",
            [("sum by (status) (rate(chat4all_http_request_seconds_count[1m]))", "{{status}}")],
        ),
        Panel("Duration of all requests", "s", _quantiles("chat4all_http_request_seconds")),
        Panel(
            "Budget of errors: share of failed sends", "percentunit", [("chat4all:accept_errors:ratio_rate5m", "5 min")]
        ),
        Panel("Under way", "short", [("sum by (process) (chat4all_http_requests_in_flight)", "requests {{process}}")]),
        Panel("WebSockets", "short", [("sum by (process) (chat4all_live_connections)", "{{process}}")]),
        Panel("From the log to a WebSocket", "s", _quantiles("chat4all_live_push_seconds")),
        Panel("Behind the log", "short", [("chat4all_follower_records_behind", "{{process}}")]),
        Panel(
            "Files",
            "reqps",
            [("sum by (size_bucket) (rate(chat4all_files_uploaded_total[5m]))", "uploaded, up to {{size_bucket}}")],
        ),
        Panel(
            "Bytes of files",
            "Bps",
            [
                ("sum(rate(chat4all_file_bytes_received_total[1m]))", "in"),
                ("sum(rate(chat4all_file_bytes_sent_total[1m]))", "out"),
            ],
        ),
        Panel(
            "Turned away",
            "short",
            [
                ("sum(chat4all_requests_rate_limited)", "rate limited"),
                ("sum(chat4all_logins_throttled)", "logins after wrong passwords"),
                ("sum(chat4all_uploads_refused)", "uploads"),
            ],
        ),
        Panel("Passwords", "short", [("sum(chat4all_password_hashes_waiting)", "hashes waiting")]),
    ),
)
ROUTER = Dashboard(
    "Router Worker",
    "chat4all-router",
    (
        Panel("Records processed", "reqps", [("sum by (agent) (rate(chat4all_events_total[1m]))", "{{agent}}")]),
        Panel(
            "Lag of the core",
            "short",
            [('sum by (topic, partition) (chat4all_lag_records{role="core"})', "{{topic}} {{partition}}")],
        ),
        Panel(
            "From the log to durable effects, p95",
            "s",
            [("histogram_quantile(0.95, sum by (le, agent) (rate(chat4all_hop_seconds_bucket[1m])))", "{{agent}}")],
        ),
        Panel(
            "Event loops late, p99",
            "s",
            [
                (
                    "histogram_quantile(0.99, sum by (le, role) (rate(chat4all_loop_delay_seconds_bucket[1m])))",
                    "{{role}}",
                )
            ],
        ),
        Panel("Rows of tables", "short", [("sum by (role, table) (chat4all_table_rows)", "{{role}} {{table}}")]),
        Panel(
            "Memory of tables", "bytes", [("sum by (role, table) (chat4all_table_memory_bytes)", "{{role}} {{table}}")]
        ),
        Panel("Rebalances", "short", [("sum by (role) (increase(chat4all_rebalances_total[5m]))", "{{role}}")]),
        Panel("Lag of the mirror", "short", [('sum by (topic) (chat4all_lag_records{role="mirror"})', "{{topic}}")]),
        Panel("Delay of the mirror", "s", [("max(chat4all_mirror_delay_seconds)", "age of the newest record")]),
        Panel(
            "Dead letters", "short", [("sum by (topic, reason) (chat4all_dead_letters_total)", "{{topic}}: {{reason}}")]
        ),
        Panel(
            "Never to be seen",
            "short",
            [
                ("sum(chat4all_records_removed_unread_total) or vector(0)", "records removed unread"),
                ("sum(chat4all_impossible_times_total) or vector(0)", "impossible times"),
            ],
        ),
    ),
)
CONNECTORS = Dashboard(
    "Connectors",
    "chat4all-connectors",
    (
        Panel(
            "Attempts by outcome",
            "reqps",
            [("sum by (channel, outcome) (rate(chat4all_attempts_total[1m]))", "{{channel}} {{outcome}}")],
        ),
        Panel(
            "Calls to channels, p95",
            "s",
            [
                (
                    "histogram_quantile(0.95, sum by (le, channel) (rate(chat4all_call_seconds_bucket[1m])))",
                    "{{channel}}",
                )
            ],
        ),
        Panel("Queue", "short", [("sum by (account) (chat4all_queue_depth)", "{{account}}")]),
        Panel(
            "What the heads wait for",
            "short",
            [("sum by (account, reason) (chat4all_waiting_heads)", "{{account}}: {{reason}}")],
        ),
        Panel("Calls under way", "short", [("sum by (account) (chat4all_account_in_flight)", "{{account}}")]),
        Panel("Breakers", "short", [("sum by (account, state) (chat4all_breaker)", "{{account}}: {{state}}")]),
        Panel("Allowance used", "percentunit", [("max by (account) (chat4all_allowance_used_ratio)", "{{account}}")]),
        Panel("Allowance", "reqps", [("sum by (account) (chat4all_allowance_per_second)", "{{account}}")]),
        Panel(
            "Overtaken", "reqps", [("sum by (channel, account) (rate(chat4all_overtaken_total[1m]))", "{{account}}")]
        ),
        Panel(
            "Files carried",
            "reqps",
            [("sum by (channel, as) (rate(chat4all_files_carried_total[5m]))", "{{channel}} {{as}}")],
        ),
    ),
)
ACCOUNT = Dashboard(
    "An account",
    "chat4all-account",
    (
        Panel(
            "Attempts by outcome",
            "reqps",
            [('sum by (outcome) (rate(chat4all_attempts_total{account=~"$account"}[1m]))', "{{outcome}}")],
        ),
        Panel("Queue", "short", [('sum(chat4all_queue_depth{account=~"$account"})', "deliveries that wait")]),
        Panel(
            "Why they wait", "short", [('sum by (reason) (chat4all_waiting_heads{account=~"$account"})', "{{reason}}")]
        ),
        Panel("Breaker", "short", [('sum by (state) (chat4all_breaker{account=~"$account"})', "{{state}}")]),
        Panel("Calls under way", "short", [('sum(chat4all_account_in_flight{account=~"$account"})', "calls")]),
        Panel("Partitions paused", "short", [('sum(chat4all_account_paused{account=~"$account"})', "partitions")]),
    ),
    variable=("account", "chat4all_queue_depth"),
)
DASHBOARDS = (OVERVIEW, API, ROUTER, CONNECTORS, ACCOUNT)


def grafana(dashboard: Dashboard) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    name, metric = dashboard.variable
    variables = [
        {
            "name": name,
            "type": "query",
            "datasource": _SOURCE,
            "query": f"label_values({metric}, {name})",
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }
    ]
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["chat4all"],
        "refresh": REFRESH,
        "time": {"from": "now-15m", "to": "now"},
        "schemaVersion": 39,
        "templating": {"list": variables if name else []},
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }


_SOURCE = {"type": "prometheus", "uid": "prometheus"}


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "title": panel.title,
        "type": "timeseries",
        "datasource": _SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 8}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for n, (expression, legend) in enumerate(panel.queries)
        ],
    }
