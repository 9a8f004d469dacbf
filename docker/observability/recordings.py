"""The recording rules: what the alerts of the API stand on, and the names of older dashboards."""

from __future__ import annotations

from docker.observability.alert import Recording

SEND = 'method="POST",route="/v1/messages"'
WINDOWS = ("1h", "30m", "5m", "6h")
_COUNT = "chat4all_http_request_seconds_count"
_BUCKET = "chat4all_http_request_seconds_bucket"


def error_ratio(window: str) -> str:
    """Return the name of the share of sends that end in a 5xx, over ``window``."""
    return f"chat4all:accept_errors:ratio_rate{window}"


def _ratio(window: str) -> Recording:
    errors = f'(sum(rate({_COUNT}{{{SEND},status=~"5.."}}[{window}])) or vector(0))'
    name = error_ratio(window)
    return Recording(
        name,
        f"{errors} / sum(rate({_COUNT}{{{SEND}}}[{window}]))",
        [(f'{_COUNT}{{{SEND},status="202"}}', "0+75x60"), (f'{_COUNT}{{{SEND},status="503"}}', "0+25x60")],
        [(name, 0.25)],
    )


RECORDINGS = (
    *map(_ratio, WINDOWS),
    Recording(
        "chat4all:accept_seconds:p99",
        f"histogram_quantile(0.99, sum by (le) (rate({_BUCKET}{{{SEND}}}[5m])))",
        [
            (f'{_BUCKET}{{{SEND},status="202",le="{le}"}}', values)
            for le, values in (("0.1", "0x60"), ("0.2", "0+100x60"), ("+Inf", "0+100x60"))
        ],
        [("chat4all:accept_seconds:p99", 0.199)],
    ),
    Recording(
        "messages_accepted_total",
        "sum(chat4all_messages_accepted_total)",
        [('chat4all_messages_accepted_total{process="api-1"}', "2x60"), ("chat4all_messages_accepted_total", "3x60")],
        [("messages_accepted_total", 5)],
    ),
    Recording(
        "messages_processed_total",
        'sum(chat4all_events_total{role="core"})',
        [('chat4all_events_total{role="core",agent="a"}', "4x60"), ('chat4all_events_total{role="mirror"}', "9x60")],
        [("messages_processed_total", 4)],
    ),
    Recording(
        "messages_sent_total",
        "sum by (channel, status) (chat4all_messages_sent_total)",
        [
            ('chat4all_messages_sent_total{instance="a",channel="telegram",status="success"}', "4x60"),
            ('chat4all_messages_sent_total{instance="b",channel="telegram",status="success"}', "3x60"),
        ],
        [('messages_sent_total{channel="telegram",status="success"}', 7)],
    ),
    Recording(
        "files_uploaded_total",
        "sum by (size_bucket) (chat4all_files_uploaded_total)",
        [('chat4all_files_uploaded_total{process="api-1",size_bucket="1MiB"}', "6x60")],
        [('files_uploaded_total{size_bucket="1MiB"}', 6)],
    ),
)
