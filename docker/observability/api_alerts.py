"""The alerts of the API, and the recording rules that they stand on."""

from __future__ import annotations

from docker.observability.alert import Alert, Trial

ACCEPT_OBJECTIVE = 0.999
BURNS = (("Fast", 14.4, "1h", "5m", "page"), ("Slow", 6.0, "6h", "30m", "ticket"))
_SEND = 'method="POST",route="/v1/messages"'
_COUNT = "chat4all_http_request_seconds_count"
_SEND_SERIES = f'{_COUNT}{{method="POST",route="/v1/messages",status="%s",job="api",instance="a"}}'


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
