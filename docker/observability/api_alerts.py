"""The alerts of the API."""

from __future__ import annotations

from docker.observability.alert import Alert, Trial
from docker.observability.recordings import SEND, error_ratio

ACCEPT_OBJECTIVE = 0.999
BURNS = (("Fast", 14.4, "1h", "5m", "page"), ("Slow", 6.0, "6h", "30m", "ticket"))
_SEND_SERIES = f'chat4all_http_request_seconds_count{{{SEND},status="%s",job="api",instance="a"}}'


def _budget(name: str, factor: float, long: str, short: str, severity: str) -> Alert:
    limit = factor * (1 - ACCEPT_OBJECTIVE)
    minutes = 60 * int(long.removesuffix("h")) + 40  # of the trial: the long window, and some more
    return Alert(
        f"AcceptErrors{name}",
        f"{error_ratio(long)} > {limit:.4f} and {error_ratio(short)} > {limit:.4f}",
        "1m",
        severity,
        f"{limit:.1%} of the sends or more end in a 5xx: the month's budget of errors lasts for "
        f"{30 / factor:.1f} days only.",
        Trial(
            bad=[
                (_SEND_SERIES % "202", f"0+90x{minutes}", f"{90 * minutes}+100x60"),
                (_SEND_SERIES % "503", f"0+10x{minutes}", f"{10 * minutes}x60"),
            ],
            good=[(_SEND_SERIES % "202", f"0+100000x{minutes}"), (_SEND_SERIES % "503", f"0+1x{minutes}")],
            fires_after=f"{minutes}m",
            resolved_after=f"{minutes + 45}m",
            labels={},
        ),
    )


API_ALERTS: tuple[Alert, ...] = (
    *(_budget(*burn) for burn in BURNS),
    Alert(
        "AcceptSlow",
        "chat4all:accept_seconds:p99 > 0.25",
        "5m",
        "ticket",
        "The 99th percentile of accepting a message is over 250 ms.",
        Trial(
            bad=[
                (f'chat4all_http_request_seconds_bucket{{{SEND},status="202",le="{le}"}}', value, then)
                for le, value, then in (
                    ("0.25", "0+10x60", "700+100x30"),
                    ("0.5", "0+100x60", "6100+100x30"),
                    ("+Inf", "0+100x60", "6100+100x30"),
                )
            ],
            good=[
                (f'chat4all_http_request_seconds_bucket{{{SEND},status="202",le="{le}"}}', value)
                for le, value in (("0.01", "0+100x60"), ("0.25", "0+100x60"), ("+Inf", "0+100x60"))
            ],
            fires_after="20m",
            resolved_after="80m",
            labels={},
        ),
    ),
    Alert(
        "NoApi",
        'absent(up{job="api"} == 1)',
        "30s",
        "page",
        "No process of the API answers: nobody can send.",
        Trial(
            bad=[('up{job="api",instance="api-1:8080"}', "0x60", "1x30")],
            good=[('up{job="api",instance="api-1:8080"}', "1x60"), ('up{job="api",instance="api-2:8080"}', "0x60")],
            fires_after="5m",
            resolved_after="65m",
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
            bad=[('chat4all_follower_records_behind{process="api-1"}', "9000x60", "10x30")],
            good=[('chat4all_follower_records_behind{process="api-1"}', "10x60")],
            fires_after="5m",
            resolved_after="65m",
            labels={"process": "api-1"},
        ),
    ),
    Alert(
        "SlowListeners",
        "sum(increase(chat4all_live_too_slow_total[10m])) > 10",
        "0m",
        "ticket",
        "WebSockets are cut off because their clients do not read.",
        Trial(
            bad=[('chat4all_live_too_slow_total{process="api-1"}', "0+5x60", "300x30")],
            good=[('chat4all_live_too_slow_total{process="api-1"}', "0x60")],
            fires_after="10m",
            resolved_after="75m",
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
            bad=[('chat4all_file_sweep_failures_total{process="api-1"}', "0+1x60", "60x90")],
            good=[('chat4all_file_sweep_failures_total{process="api-1"}', "0x60")],
            fires_after="10m",
            resolved_after="130m",
            labels={},
        ),
    ),
)
