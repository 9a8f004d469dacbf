"""Settings that contradict each other. Each message names both and their consequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from app.settings import Settings


# A segment leaves Kafka as a whole, when its last record has passed its retention. So a record stays up to the length
# of a segment longer, and until the broker looks: every 5 minutes, or as an operator says.
SEGMENT_HOURS = 24
RETENTION_MARGIN_HOURS = 24

# below app.stream_app.DRAIN_SECONDS: a longer send would end after the next owner of the partition has begun
MOST_SEND_SECONDS = 9.0


def contradictions(s: Settings) -> Iterator[str]:
    """Yield a sentence for each contradiction. The comparisons treat a value that is no number as a contradiction."""
    message_hours, fact_hours = s.messages_retention_days * 24, s.status_retention_days * 24
    state = f"CHAT4ALL_STATE_RETENTION_HOURS={s.state_retention_hours:g}"
    messages = f"CHAT4ALL_MESSAGES_RETENTION_DAYS={s.messages_retention_days} ({message_hours} hours)"
    facts = f"CHAT4ALL_STATUS_RETENTION_DAYS={s.status_retention_days} ({fact_hours} hours)"
    if not message_hours >= 24:
        yield f"{messages} must be at least 1: what is to be delivered would leave Kafka before it is"
    if not fact_hours >= message_hours:
        yield f"{facts} is less than {messages}: facts must be kept as long as what they are about"
    least_state_hours = message_hours + SEGMENT_HOURS + RETENTION_MARGIN_HOURS
    if not s.state_retention_hours >= least_state_hours:
        yield (
            f"{state} is less than {least_state_hours}, which is {messages}, {SEGMENT_HOURS} for a segment of the log, "
            f"and {RETENTION_MARGIN_HOURS} to spare: an attempt would be forgotten while its message may still come "
            "again, which would then be sent twice"
        )
    if not s.expires_hours <= message_hours:
        yield (
            f"CHAT4ALL_EXPIRES_HOURS={s.expires_hours:g} is more than {messages}: a message that is routed again late "
            "would be sent after its attempt is forgotten, so twice"
        )
    if not s.state_retention_hours <= fact_hours:
        yield f"{state} is more than {facts}: a row would outlive the facts that it is made of"
    if not s.file_patience_hours <= message_hours:
        yield (
            f"CHAT4ALL_FILE_PATIENCE_HOURS={s.file_patience_hours:g} is more than {messages}: a message that waits for "
            "its file would leave Kafka before it fails"
        )
    if not 1 <= s.min_insync_replicas <= s.replication_factor:
        yield (
            f"CHAT4ALL_MIN_INSYNC_REPLICAS={s.min_insync_replicas} must be 1 to "
            f"CHAT4ALL_REPLICATION_FACTOR={s.replication_factor}: else nothing can be written"
        )
    if not 0 < s.send_seconds <= MOST_SEND_SECONDS:
        yield (
            f"CHAT4ALL_SEND_SECONDS={s.send_seconds:g} must be more than 0 and at most {MOST_SEND_SECONDS:g}: a worker "
            "finishes its sends before its partitions go, and it has 10 seconds for that"
        )
    if s.otlp_url and not _is_http_url(s.otlp_url):
        yield "CHAT4ALL_OTLP_URL must be http://host:port or https://host:port: no trace would be exported"
    tls = {
        "KAFKA": (s.kafka_tls_ca, s.kafka_tls_certificate, s.kafka_tls_key),
        "CASSANDRA": (s.cassandra_tls_ca, s.cassandra_tls_certificate, s.cassandra_tls_key),
    }
    for server, (ca, certificate, key) in tls.items():
        name = f"CHAT4ALL_{server}_TLS"
        if certificate and not ca:
            yield f"{name}_CERTIFICATE={certificate} needs {name}_CA: without it there is no TLS, and nothing is secret"
        if key and not (ca and certificate):
            yield f"{name}_KEY={key} needs {name}_CA and {name}_CERTIFICATE: it would not be used"
    if s.cassandra_tls_name and not s.cassandra_tls_ca:
        yield f"CHAT4ALL_CASSANDRA_TLS_NAME={s.cassandra_tls_name} needs CHAT4ALL_CASSANDRA_TLS_CA: there is no TLS"
    if s.kafka_username and not s.kafka_password:
        yield "CHAT4ALL_KAFKA_USERNAME is set and CHAT4ALL_KAFKA_PASSWORD is not: Kafka would refuse every client"
    if not s.heartbeat_seconds < s.session_timeout_seconds:
        yield (
            f"CHAT4ALL_HEARTBEAT_SECONDS={s.heartbeat_seconds:g} must be less than "
            f"CHAT4ALL_SESSION_TIMEOUT_SECONDS={s.session_timeout_seconds:g}: else every worker is taken for dead"
        )


def _is_http_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is none
        return False
