"""The alerts of the workers, the channels' accounts and all processes."""

from __future__ import annotations

from docker.observability.alert import Alert, Trial, grew

_ACCOUNT = {"role": "whatsapp", "account": "main"}
_SENT = 'chat4all_messages_sent_total{role="telegram",channel="telegram",status="%s"}'
_MEMORY = 'process_resident_memory_bytes{job="api",instance="i",process="api-1"}'


def _account(name: str, value: str, more: str = "") -> tuple[str, str]:
    return f'{name}{{role="whatsapp",account="main"{more}}}', value


WORKER_ALERTS: tuple[Alert, ...] = (
    Alert(
        "ProcessDown",
        'up{job=~"api|worker"} == 0',
        "1m",
        "ticket",
        "A process does not answer.",
        Trial(
            bad=[('up{job="api",instance="api-1:8080"}', "0x60", "1x30")],
            good=[('up{job="api",instance="api-1:8080"}', "1x60")],
            fires_after="5m",
            resolved_after="65m",
            labels={"job": "api", "instance": "api-1:8080"},
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
                bad=[(f'process_start_time_seconds{{job="worker",role="{role}",instance="i"}}', "_x60", "1x30")],
                good=[(f'process_start_time_seconds{{job="worker",role="{role}",instance="i"}}', "1x60")],
                fires_after="5m",
                resolved_after="65m",
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
            bad=[('process_start_time_seconds{job="worker",role="core",instance="i"}', "1+1x60", "61x30")],
            good=[('process_start_time_seconds{job="worker",role="core",instance="i"}', "1x60")],
            fires_after="20m",
            resolved_after="80m",
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
            bad=[('chat4all_lag_records{role="core",topic="messages",partition="0"}', "6000x60", "100x30")],
            good=[('chat4all_lag_records{role="core",topic="messages",partition="0"}', "100x60")],
            fires_after="10m",
            resolved_after="65m",
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
                ('chat4all_mirror_delay_seconds{role="mirror"}', "90x60", "1x30"),
                ('chat4all_lag_records{role="mirror",topic="messages",partition="0"}', "5x60", "0x30"),
            ],
            good=[
                ('chat4all_mirror_delay_seconds{role="mirror"}', "90x60"),
                ('chat4all_lag_records{role="mirror",topic="messages",partition="0"}', "0x60"),
            ],
            fires_after="10m",
            resolved_after="65m",
            labels={},
        ),
    ),
    Alert(
        "DeadLetters",
        grew("chat4all_dead_letters_total", "10m", 0, "topic, reason"),
        "0m",
        "page",
        "Records could not be processed; they are kept as dead letters.",
        Trial(
            bad=[('chat4all_dead_letters_total{role="core",topic="messages",reason="undecodable"}', "0+1x60", "60x30")],
            good=[('chat4all_dead_letters_total{role="core",topic="messages",reason="undecodable"}', "3x60")],
            fires_after="15m",
            resolved_after="75m",
            labels={"topic": "messages", "reason": "undecodable"},
        ),
    ),
    Alert(
        "BreakerOpen",
        # over its states: the alert must not begin anew each time that an open breaker lets a probe through
        'max by (role, account) (chat4all_breaker{state!="closed"}) == 1',
        "2m",
        "page",
        "The channel of an account fails: its messages wait.",
        Trial(
            bad=[  # a probe every few minutes
                (*_account("chat4all_breaker", "1 1 1 stale 1 1 1 stale 1x60", ',state="open"'), "stale"),
                (*_account("chat4all_breaker", "_ _ _ 1 stale _ _ 1 stale", ',state="half-open"'), "_x70"),
            ],
            good=[_account("chat4all_breaker", "1x60", ',state="closed"')],
            fires_after="5m",
            resolved_after="75m",
            labels=_ACCOUNT,
        ),
    ),
    Alert(
        "AccountPaused",
        "chat4all_account_paused > 0",
        "1h",
        "ticket",
        "An operator paused an account an hour ago, and it still is.",
        Trial(
            bad=[(*_account("chat4all_account_paused", "6x120"), "0x30")],
            good=[_account("chat4all_account_paused", "0x120")],
            fires_after="90m",
            resolved_after="130m",
            labels=_ACCOUNT,
        ),
    ),
    Alert(
        "TokenExpires",
        "min by (role, account) (chat4all_account_token_expires_seconds) - time() < 7 * 86400",
        "0m",
        "ticket",
        "The credentials of an account end within a week, or have ended.",
        Trial(
            bad=[(*_account("chat4all_account_token_expires_seconds", "500000x60"), "5000000x30")],
            good=[_account("chat4all_account_token_expires_seconds", "5000000x60")],
            fires_after="5m",
            resolved_after="65m",
            labels=_ACCOUNT,
        ),
    ),
    Alert(
        "DiskFull",
        "chat4all_disk_free_ratio < 0.1",
        "5m",
        "page",
        "Less than a tenth of the disk under a process's data is free.",
        Trial(
            bad=[('chat4all_disk_free_ratio{job="worker",role="core",instance="i"}', "0.05x60", "0.5x30")],
            good=[('chat4all_disk_free_ratio{job="worker",role="core",instance="i"}', "0.5x60")],
            fires_after="10m",
            resolved_after="65m",
            labels={"job": "worker", "role": "core", "instance": "i"},
        ),
    ),
    Alert(
        "QueueDepth",
        "sum by (role, account) (chat4all_queue_depth) > 10000",
        "10m",
        "ticket",
        "More than 10,000 deliveries of an account wait.",
        Trial(
            bad=[(*_account("chat4all_queue_depth", "20000x60"), "20x30")],
            good=[_account("chat4all_queue_depth", "20x60")],
            fires_after="20m",
            resolved_after="65m",
            labels=_ACCOUNT,
        ),
    ),
    Alert(
        "UnknownOutcomes",
        grew('chat4all_attempts_total{outcome="unknown"}', "10m", 5, "channel, account"),
        "0m",
        "ticket",
        "A channel leaves it open whether it took messages.",
        Trial(
            bad=[
                (
                    'chat4all_attempts_total{role="whatsapp",channel="whatsapp",account="main",outcome="unknown"}',
                    "0+5x60",
                    "300x30",
                )
            ],
            good=[
                ('chat4all_attempts_total{role="whatsapp",channel="whatsapp",account="main",outcome="sent"}', "0+5x60")
            ],
            fires_after="10m",
            resolved_after="75m",
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
                (
                    'chat4all_messages_sent_total{role="telegram",channel="telegram",status="failure"}',
                    "0+10x60",
                    "600x60",
                ),
                (
                    'chat4all_messages_sent_total{role="telegram",channel="telegram",status="success"}',
                    "0+90x60",
                    "5400+90x60",
                ),
            ],
            good=[
                (_SENT % "failure", "0+1x60"),
                (_SENT % "success", "0+99x60"),
            ],
            fires_after="30m",
            resolved_after="80m",
            labels={"channel": "telegram"},
        ),
    ),
    Alert(
        "RecordsRemovedUnread",
        grew("chat4all_records_removed_unread_total", "1h", 0, "topic"),
        "0m",
        "page",
        "Kafka's retention removed records that no worker had read: messages are lost.",
        Trial(
            bad=[('chat4all_records_removed_unread_total{role="core",topic="messages"}', "_x5 1x55", "1x90")],
            good=[('chat4all_records_removed_unread_total{role="core",topic="messages"}', "0x60")],
            fires_after="8m",
            resolved_after="70m",
            labels={"topic": "messages"},
        ),
    ),
    Alert(
        "ImpossibleTimes",
        grew("chat4all_impossible_times_total", "1h", 0),
        "0m",
        "ticket",
        "Times came that cannot be: a clock is wrong, here or at a provider.",
        Trial(
            bad=[('chat4all_impossible_times_total{role="whatsapp"}', "_x5 1x55", "1x90")],
            good=[('chat4all_impossible_times_total{role="whatsapp"}', "0x60")],
            fires_after="8m",
            resolved_after="70m",
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
            bad=[
                (
                    'process_resident_memory_bytes{job="api",instance="i",process="api-1"}',
                    "2000000000x60",
                    "100000000x30",
                )
            ],
            good=[(_MEMORY, "100000000x60")],
            fires_after="10m",
            resolved_after="65m",
            labels={"job": "api", "instance": "i", "process": "api-1"},
        ),
    ),
)
