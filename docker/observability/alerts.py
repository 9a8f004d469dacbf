"""Alerts and the rules that they stand on. Each alert has a trial: series that make it fire, and series that do not.

A trial's series are in the notation of ``promtool test rules``. Every alert has a section of its name in
docs/operations.md: what it means, what to look at, what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

ACCEPT_OBJECTIVE = 0.999
BURNS = (("Fast", 14.4, "1h", "5m", "page"), ("Slow", 6.0, "6h", "30m", "ticket"))
_SEND = 'method="POST",route="/v1/messages"'
_COUNT = "chat4all_http_request_seconds_count"
RUNBOOK = "docs/operations.md"


@dataclass(frozen=True, slots=True)
class Trial:
    """``bad`` series make the alert fire after ``fires_after``; ``good`` ones never do. ``labels``: of the alert."""

    bad: Sequence[tuple[str, str]]
    good: Sequence[tuple[str, str]]
    fires_after: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Alert:
    """``expression`` true for ``lasts`` fires. ``severity``: page (now) or ticket (today). ``about``: one sentence.

    ``role``: of alerts that there are once for each role.
    """

    name: str
    expression: str
    lasts: str
    severity: str
    about: str
    trial: Trial
    role: str = ""


def _burn(window: str) -> str:
    return f"chat4all:accept_errors:ratio_rate{window}"


def recordings() -> dict[str, str]:
    """Return the recording rules: expression by name."""
    windows = sorted({window for _, _, long, short, _ in BURNS for window in (long, short)})
    errors = {
        _burn(window): f'sum(rate({_COUNT}{{{_SEND},status=~"5.."}}[{window}])) or vector(0)' for window in windows
    }
    totals = {f"chat4all:accepts:rate{window}": f"sum(rate({_COUNT}{{{_SEND}}}[{window}]))" for window in windows}
    ratios = {name: f"({errors[name]}) / {total}" for name, total in zip(errors, totals.values(), strict=True)}
    return {
        **ratios,
        "chat4all:accept_seconds:p99": "histogram_quantile(0.99, sum by (le) "
        f"(rate(chat4all_http_request_seconds_bucket{{{_SEND}}}[5m])))",
        # the names of older dashboards
        "messages_accepted_total": "sum(chat4all_messages_accepted_total)",
        "messages_processed_total": 'sum(chat4all_events_total{role="core"})',
        "messages_sent_total": "sum by (channel, status) (chat4all_messages_sent_total)",
        "files_uploaded_total": "sum by (size_bucket) (chat4all_files_uploaded_total)",
    }


def _steady(series: str, value: str = "0x60") -> tuple[str, str]:
    return series, value


def _account(name: str, value: str, more: str = "") -> tuple[str, str]:
    return f'{name}{{role="whatsapp",account="main"{more}}}', value


_ACCOUNT = {"role": "whatsapp", "account": "main"}
_SEND_SERIES = f'{_COUNT}{{method="POST",route="/v1/messages",status="%s",job="api",instance="a"}}'


def _budget(name: str, factor: float, long: str, short: str, severity: str) -> Alert:
    limit = factor * (1 - ACCEPT_OBJECTIVE)
    return Alert(
        f"AcceptErrors{name}",
        f"{_burn(long)} > {limit:.4f} and {_burn(short)} > {limit:.4f}",
        "1m",
        severity,
        f"{limit:.1%} of the sends or more end in a 5xx: the month's budget of errors lasts for "
        f"{30 / factor:.1f} days only.",
        Trial(
            bad=[(_SEND_SERIES % "202", "0+90x800"), (_SEND_SERIES % "503", "0+10x800")],
            good=[(_SEND_SERIES % "202", "0+100000x800"), (_SEND_SERIES % "503", "0+1x800")],
            fires_after="400m",
            labels={},
        ),
    )


ALERTS: tuple[Alert, ...] = (
    *(_budget(*burn) for burn in BURNS),
    Alert(
        "AcceptSlow",
        "chat4all:accept_seconds:p99 > 0.25",
        "5m",
        "ticket",
        "The 99th percentile of accepting a message is over 250 ms.",
        Trial(
            bad=[
                (f'chat4all_http_request_seconds_bucket{{{_SEND},status="202",le="{le}"}}', value)
                for le, value in (("0.25", "0+10x60"), ("0.5", "0+100x60"), ("+Inf", "0+100x60"))
            ],
            good=[
                (f'chat4all_http_request_seconds_bucket{{{_SEND},status="202",le="{le}"}}', value)
                for le, value in (("0.01", "0+100x60"), ("0.25", "0+100x60"), ("+Inf", "0+100x60"))
            ],
            fires_after="20m",
            labels={},
        ),
    ),
    Alert(
        "ProcessDown",
        'up{job=~"api|worker"} == 0',
        "1m",
        "ticket",
        "A process does not answer.",
        Trial(
            bad=[('up{job="api",instance="api-1:8080"}', "0x60")],
            good=[('up{job="api",instance="api-1:8080"}', "1x60")],
            fires_after="5m",
            labels={"job": "api", "instance": "api-1:8080"},
        ),
    ),
    Alert(
        "NoApi",
        'absent(up{job="api"} == 1)',
        "30s",
        "page",
        "No process of the API answers: nobody can send.",
        Trial(
            bad=[('up{job="api",instance="api-1:8080"}', "0x60")],
            good=[('up{job="api",instance="api-1:8080"}', "1x60"), ('up{job="api",instance="api-2:8080"}', "0x60")],
            fires_after="5m",
            labels={},
        ),
    ),
    *(
        Alert(
            "RoleWithoutWorker",
            f'absent(process_start_time_seconds{{job="worker",role="{role}"}})',
            "1m",
            "page",
            f"No worker of the role {role} answers: its messages wait.",
            Trial(
                bad=[],
                good=[(f'process_start_time_seconds{{job="worker",role="{role}",instance="i"}}', "1x60")],
                fires_after="5m",
                labels={"job": "worker", "role": role},
            ),
            role,
        )
        for role in ("core", "mirror", "whatsapp", "instagram", "telegram")
    ),
    Alert(
        "Restarts",
        'changes(process_start_time_seconds{job=~"api|worker"}[15m]) > 3',
        "0m",
        "ticket",
        "A process starts again and again.",
        Trial(
            bad=[('process_start_time_seconds{job="worker",role="core",instance="i"}', "1+1x60")],
            good=[('process_start_time_seconds{job="worker",role="core",instance="i"}', "1x60")],
            fires_after="20m",
            labels={"job": "worker", "role": "core", "instance": "i"},
        ),
    ),
    Alert(
        "Lag",
        "sum by (role) (chat4all_lag_records) > 5000",
        "5m",
        "page",
        "A role is more than 5,000 records behind for five minutes.",
        Trial(
            bad=[('chat4all_lag_records{role="core",topic="messages",partition="0"}', "6000x60")],
            good=[('chat4all_lag_records{role="core",topic="messages",partition="0"}', "100x60")],
            fires_after="10m",
            labels={"role": "core"},
        ),
    ),
    Alert(
        "MirrorBehind",
        'max(chat4all_mirror_delay_seconds) > 60 and sum(chat4all_lag_records{role="mirror"}) > 0',
        "5m",
        "ticket",
        "Cassandra is more than a minute behind the log.",
        Trial(
            bad=[
                ('chat4all_mirror_delay_seconds{role="mirror"}', "90x60"),
                ('chat4all_lag_records{role="mirror",topic="messages",partition="0"}', "5x60"),
            ],
            good=[
                ('chat4all_mirror_delay_seconds{role="mirror"}', "90x60"),
                ('chat4all_lag_records{role="mirror",topic="messages",partition="0"}', "0x60"),
            ],
            fires_after="10m",
            labels={},
        ),
    ),
    Alert(
        "ApiBehind",
        "chat4all_follower_records_behind > 5000",
        "2m",
        "page",
        "A process of the API is far behind the log: histories and notifications are late.",
        Trial(
            bad=[('chat4all_follower_records_behind{process="api-1"}', "9000x60")],
            good=[('chat4all_follower_records_behind{process="api-1"}', "10x60")],
            fires_after="5m",
            labels={"process": "api-1"},
        ),
    ),
    Alert(
        "DeadLetters",
        "sum by (topic, reason) (increase(chat4all_dead_letters_total[10m])) > 0",
        "0m",
        "page",
        "Records could not be processed; they are kept as dead letters.",
        Trial(
            bad=[('chat4all_dead_letters_total{role="core",topic="messages",reason="undecodable"}', "0+1x60")],
            good=[('chat4all_dead_letters_total{role="core",topic="messages",reason="undecodable"}', "3x60")],
            fires_after="5m",
            labels={"topic": "messages", "reason": "undecodable"},
        ),
    ),
    Alert(
        "BreakerOpen",
        'chat4all_breaker{state!="closed"} == 1',
        "2m",
        "page",
        "The channel of an account fails: its messages wait.",
        Trial(
            bad=[_account("chat4all_breaker", "1x60", ',state="open"')],
            good=[_account("chat4all_breaker", "1x60", ',state="closed"')],
            fires_after="5m",
            labels={**_ACCOUNT, "state": "open"},
        ),
    ),
    Alert(
        "AccountPaused",
        "chat4all_account_paused > 0",
        "1h",
        "ticket",
        "An operator paused an account an hour ago, and it still is.",
        Trial(
            bad=[_account("chat4all_account_paused", "6x120")],
            good=[_account("chat4all_account_paused", "0x120")],
            fires_after="90m",
            labels=_ACCOUNT,
        ),
    ),
    Alert(
        "QueueDepth",
        "sum by (role, account) (chat4all_queue_depth) > 10000",
        "10m",
        "ticket",
        "More than 10,000 deliveries of an account wait.",
        Trial(
            bad=[_account("chat4all_queue_depth", "20000x60")],
            good=[_account("chat4all_queue_depth", "20x60")],
            fires_after="20m",
            labels=_ACCOUNT,
        ),
    ),
    Alert(
        "UnknownOutcomes",
        'sum by (channel, account) (increase(chat4all_attempts_total{outcome="unknown"}[10m])) > 5',
        "0m",
        "ticket",
        "A channel leaves it open whether it took messages.",
        Trial(
            bad=[
                (
                    'chat4all_attempts_total{role="whatsapp",channel="whatsapp",account="main",outcome="unknown"}',
                    "0+5x60",
                )
            ],
            good=[
                ('chat4all_attempts_total{role="whatsapp",channel="whatsapp",account="main",outcome="sent"}', "0+5x60")
            ],
            fires_after="10m",
            labels={"channel": "whatsapp", "account": "main"},
        ),
    ),
    Alert(
        "FailedDeliveries",
        'sum by (channel) (rate(chat4all_messages_sent_total{status="failure"}[10m])) '
        "/ sum by (channel) (rate(chat4all_messages_sent_total[10m])) > 0.05",
        "10m",
        "ticket",
        "More than 5 % of a channel's deliveries fail.",
        Trial(
            bad=[
                ('chat4all_messages_sent_total{role="telegram",channel="telegram",status="failure"}', "0+10x60"),
                ('chat4all_messages_sent_total{role="telegram",channel="telegram",status="success"}', "0+90x60"),
            ],
            good=[
                ('chat4all_messages_sent_total{role="telegram",channel="telegram",status="failure"}', "0+1x60"),
                ('chat4all_messages_sent_total{role="telegram",channel="telegram",status="success"}', "0+99x60"),
            ],
            fires_after="30m",
            labels={"channel": "telegram"},
        ),
    ),
    Alert(
        "RecordsRemovedUnread",
        "sum by (topic) (increase(chat4all_records_removed_unread_total[1h])) > 0",
        "0m",
        "page",
        "Kafka's retention removed records that no worker had read: messages are lost.",
        Trial(
            bad=[('chat4all_records_removed_unread_total{role="core",topic="messages"}', "0+1x60")],
            good=[('chat4all_records_removed_unread_total{role="core",topic="messages"}', "0x60")],
            fires_after="5m",
            labels={"topic": "messages"},
        ),
    ),
    Alert(
        "ImpossibleTimes",
        "sum(increase(chat4all_impossible_times_total[1h])) > 0",
        "0m",
        "ticket",
        "Times came that cannot be: a clock is wrong, here or at a provider.",
        Trial(
            bad=[('chat4all_impossible_times_total{role="whatsapp"}', "0+1x60")],
            good=[('chat4all_impossible_times_total{role="whatsapp"}', "0x60")],
            fires_after="5m",
            labels={},
        ),
    ),
    Alert(
        "Memory",
        'process_resident_memory_bytes{job=~"api|worker"} > 1.5e9',
        "5m",
        "ticket",
        "A process holds more than 1.5 GB.",
        Trial(
            bad=[('process_resident_memory_bytes{job="api",instance="i",process="api-1"}', "2000000000x60")],
            good=[('process_resident_memory_bytes{job="api",instance="i",process="api-1"}', "100000000x60")],
            fires_after="10m",
            labels={"job": "api", "instance": "i", "process": "api-1"},
        ),
    ),
    Alert(
        "SlowListeners",
        "sum(increase(chat4all_live_too_slow_total[10m])) > 10",
        "0m",
        "ticket",
        "WebSockets are cut off because their clients do not read.",
        Trial(
            bad=[('chat4all_live_too_slow_total{process="api-1"}', "0+5x60")],
            good=[('chat4all_live_too_slow_total{process="api-1"}', "0x60")],
            fires_after="10m",
            labels={},
        ),
    ),
    Alert(
        "FileSweepFails",
        "sum(increase(chat4all_file_sweep_failures_total[1h])) > 0",
        "0m",
        "ticket",
        "Unfinished uploads cannot be cleared away: the store of files is away or full.",
        Trial(
            bad=[('chat4all_file_sweep_failures_total{process="api-1"}', "0+1x60")],
            good=[('chat4all_file_sweep_failures_total{process="api-1"}', "0x60")],
            fires_after="10m",
            labels={},
        ),
    ),
)


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
