"""The alerts of the ledger and of the objective that messages are delivered in time."""

from __future__ import annotations

from docker.observability.alert import Alert, Trial

_DIFFERENCE = 'chat4all_ledger_difference{job="ledger",instance="ledger:8081"}'
_AGE = 'chat4all_ledger_age_seconds{job="ledger",instance="ledger:8081"}'
_LEDGER = {"job": "ledger", "instance": "ledger:8081"}
_SENT = 'chat4all_accepted_to_sent_seconds_bucket{role="whatsapp",channel="whatsapp",le="%s"}'

LEDGER_ALERTS: tuple[Alert, ...] = (
    Alert(
        "LedgerDiffers",
        "chat4all_ledger_difference != 0",
        "1m",
        "page",
        "Accepted messages have no outcome and wait nowhere.",
        Trial(
            bad=[(_DIFFERENCE, "3x30", "0x60")],
            good=[(_DIFFERENCE, "0x60")],
            fires_after="10m",
            resolved_after="45m",
            labels=_LEDGER,
        ),
    ),
    Alert(
        "LedgerStale",
        "max(chat4all_ledger_age_seconds) > 120 or absent(chat4all_ledger_age_seconds)",
        "5m",
        "ticket",
        "Nobody keeps the ledger: whether messages are lost is not known.",
        Trial(
            bad=[(_AGE, "600x30", "5x60")],
            good=[(_AGE, "5x60")],
            fires_after="10m",
            resolved_after="45m",
            labels={},
        ),
    ),
    Alert(
        "DeliverySlow",
        'sum by (channel) (rate(chat4all_accepted_to_sent_seconds_bucket{le="30.0"}[10m])) '
        "/ sum by (channel) (rate(chat4all_accepted_to_sent_seconds_count[10m])) < 0.99",
        "10m",
        "ticket",
        "More than 1 % of a channel's deliveries take over 30 seconds.",
        Trial(
            bad=[
                (_SENT % "30.0", "0+90x40", "3600+100x60"),
                (_SENT.replace("_bucket", "_count").replace(',le="%s"', ""), "0+100x40", "4000+100x60"),
            ],
            good=[
                (_SENT % "30.0", "0+100x60"),
                (_SENT.replace("_bucket", "_count").replace(',le="%s"', ""), "0+100x60"),
            ],
            fires_after="35m",
            resolved_after="80m",
            labels={"channel": "whatsapp"},
        ),
    ),
)
