"""All settings, read once from ``CHAT4ALL_*`` variables (and ``.env``). Units are in the names.

``chat4all config`` prints them with secrets hidden; ``--describe`` explains each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from app.contradictions import contradictions
from app.setting_bounds import expected_number
from chat4all.env_file import read_env_file

PREFIX = "CHAT4ALL_"
LOG_FORMATS = ("auto", "json", "text", "colour")
Value = TypeVar("Value")


class InvalidSetting(ValueError):
    """A ``CHAT4ALL_*`` variable holds an invalid value."""


def setting(
    default: Value, about: str, *, choices: tuple[str, ...] = (), secret: bool = False, zero: bool = False
) -> Value:
    """Return a field of ``Settings``. ``about``: its effect, in one line. ``choices``: all its values.

    ``zero``: a number may be 0; others must be greater.
    """
    metadata = {"about": about, "choices": choices, "zero": zero}
    made: Value = field(default=default, metadata=metadata, repr=not secret)
    return made


@dataclass(frozen=True, slots=True)
class Settings:
    """One frozen value, made by ``Settings.from_environ()``. Each field is the variable ``CHAT4ALL_<FIELD>``.

    A field's unit is the end of its name. Its effect is described in one line, shown by `chat4all config --describe`
    and docs/settings.md: after a change run `make settings`.
    """

    # Process
    role: str = setting("core", "Part of the pipeline that a worker is: core, mirror, whatsapp, instagram, telegram")
    instance: str = setting("", "Lasting name of a worker in its consumer group; empty: a new one each time")
    node: str = setting("", "This machine's part in the names of its workers; empty: host name and hash of data_dir")

    # Kafka
    kafka: str = setting("127.0.0.1:9092", "Where Kafka is: one or several host:port, separated by commas")
    kafka_tls_ca: str = setting(
        "", "Certificates that vouch for Kafka's, a PEM file; system: the machine's; empty: no TLS"
    )
    kafka_tls_certificate: str = setting("", "Certificate of this client for Kafka, a PEM file; empty: none")
    kafka_tls_key: str = setting("", "Its key, a PEM file; empty: in the same file")
    kafka_sasl: str = setting(
        "SCRAM-SHA-512", "How Kafka learns who this is", choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    )
    kafka_username: str = setting("", "User of Kafka; empty: no login")
    kafka_password: str = setting("", "Password of that user", secret=True)
    topic_prefix: str = setting("", "Begins the name of every topic and group: sets several systems in a cluster apart")
    partitions: int = setting(6, "Partitions of each topic; the same in every process, and never changed later")
    replication_factor: int = setting(1, "Copies of each topic; 3 in production, where one broker may be away")
    min_insync_replicas: int = setting(1, "Copies that must hold a record before it counts as written; 2 in production")
    produce_timeout_seconds: float = setting(10.0, "How long a worker waits for Kafka to take a record")
    session_timeout_seconds: float = setting(6.0, "Silence after which a worker's partitions go to another worker")
    heartbeat_seconds: float = setting(1.0, "How often a worker tells Kafka that it lives; well below its session")
    fetch_min_bytes: int = setting(65_536, "Bytes that gather at the broker before a worker gets them (ADR 78)")
    fetch_wait_ms: int = setting(50, "How long they gather for a worker at most (ADR 136)", zero=True)
    fetch_idle_ms: int = setting(
        250,
        "How long a fetch waits for a first record after one that found none; 0: FETCH_WAIT_MS",
        zero=True,
    )
    follower_fetch_min_bytes: int = setting(8_192, "Bytes that gather at the broker before the API gets them")
    follower_fetch_wait_ms: int = setting(30, "How long they gather for the API at most", zero=True)
    worker_nice: int = setting(
        10, "Added to a worker's niceness: the API and Kafka get a busy processor first; 0: off", zero=True
    )
    max_poll_records: int = setting(500, "Records that a worker takes from one fetch at once")
    commit_interval_seconds: float = setting(0.5, "How often a worker commits how far it is")
    watchdog_seconds: float = setting(60.0, "A worker that has work and commits nothing for so long is ended")
    messages_retention_days: int = setting(7, "How long Kafka keeps messages and what is to be delivered")
    status_retention_days: int = setting(30, "How long Kafka keeps facts about deliveries, such as READ")
    dead_letters_retention_days: int = setting(90, "How long Kafka keeps dead letters")

    # Tables of the workers
    store: str = setting("rocksdb", "Where a worker keeps its tables; memory: for tests", choices=("rocksdb", "memory"))
    data_dir: str = setting(".chat4all/workers", "Folder of the workers' tables")
    standby_replicas: int = setting(
        1, "Workers that keep a copy of a table beside its owner, to take over at once", zero=True
    )
    state_retention_hours: float = setting(216.0, "Rows leave the tables so long after their last change")
    audit_stuck_hours: float = setting(
        25.0, "Age at which `chat4all audit` reports a message that is only ACCEPTED", zero=True
    )

    # Delivery
    accounts: str = setting("accounts.toml", "File of our accounts on the channels; no such file: simulated ones")
    expires_hours: float = setting(24.0, "A message is not sent when it is so old, unless it names a time itself")
    in_flight_per_worker: int = setting(10_000, "Deliveries that a worker has in hand at once")
    delivery_attempts: int = setting(5, "Attempts of a message; throttling and outages of a channel cost none")
    evidence_seconds: float = setting(
        60.0, "How long a message with an unknown outcome waits for evidence; then it fails"
    )
    overtake_minutes: float = setting(
        0.0,
        "How long a message that waits holds the next ones to its address; 0: always",
        zero=True,
    )
    send_seconds: float = setting(8.0, "How long a channel may take to answer a send; then its outcome is unknown")
    upload_seconds: float = setting(1800.0, "How long a channel may take for the upload of one file; then once more")
    file_patience_hours: float = setting(24.0, "Age at which a message fails whose file's store is away", zero=True)
    files_fetched_at_once: int = setting(8, "Files that a worker fetches at once; each takes a few MiB of memory")
    inbound_file_max_bytes: int = setting(128 * 1024 * 1024, "Longest file of a person's message that is fetched")
    inbound_file_seconds: float = setting(120.0, "How long fetching such a file may take at once")
    inbound_file_patience_seconds: float = setting(
        900.0, "How long a person's messages wait for such a file; then they are shown without it", zero=True
    )
    simulated_delivered_seconds: tuple[float, float] = setting(
        (1.0, 3.0), "Simulated channels: from SENT to DELIVERED", zero=True
    )
    simulated_read_seconds: tuple[float, float] = setting(
        (2.0, 5.0), "Simulated channels: from DELIVERED to READ", zero=True
    )

    # Mirror
    mirror_linger_seconds: float = setting(
        0.25, "How long the mirror gathers messages before it writes to Cassandra", zero=True
    )
    mirror_batch_messages: int = setting(2_000, "Messages that the mirror gathers at most")

    # Cassandra
    cassandra: tuple[str, ...] = setting(("127.0.0.1",), "Hosts of Cassandra to begin with, separated by commas")
    cassandra_port: int = setting(9042, "Port of Cassandra on every host")
    keyspace: str = setting("chat4all", "Keyspace of all tables")
    cassandra_replication_factor: int = setting(1, "Copies of each row, for a new keyspace; 3 in production")
    cassandra_consistency: str = setting("LOCAL_QUORUM", "Copies that must answer, in Cassandra's words")
    cassandra_timeout_seconds: float = setting(2.0, "How long one query may take")
    cassandra_datacenter: str = setting("", "Datacenter to talk to; empty: that of the first host that answers")
    cassandra_username: str = setting("", "User of Cassandra; empty: no login")
    cassandra_password: str = setting("", "Password of that user", secret=True)
    cassandra_tls_ca: str = setting(
        "", "Certificates that vouch for Cassandra's, a PEM file; system: the machine's; empty: no TLS"
    )
    cassandra_tls_name: str = setting("", "Name in the certificate of every node; empty: each node's IP address")
    cassandra_tls_certificate: str = setting("", "Certificate of this client for Cassandra, a PEM file; empty: none")
    cassandra_tls_key: str = setting("", "Its key, a PEM file; empty: in the same file")

    # API
    host: str = setting("127.0.0.1", "Address that the API listens on; 0.0.0.0: all")
    port: int = setting(8080, "Port that the API listens on", zero=True)
    max_body_bytes: int = setting(64 * 1024, "Longest body of a request, but for batches and files")
    max_batch_body_bytes: int = setting(8 * 1024 * 1024, "Longest body of POST /v1/messages/batch")
    max_header_bytes: int = setting(8_190, "Longest request line, and longest header")
    max_headers: int = setting(128, "Headers that a request may have")
    rate_limit_user_per_second: float = setting(5_000.0, "Requests of a user to one process; 0: no limit", zero=True)
    rate_limit_user_burst: int = setting(10_000, "Requests of a user to one process at once")
    rate_limit_address_per_second: float = setting(
        0.0, "Requests from an address to one process; 0: no limit", zero=True
    )
    rate_limit_address_burst: int = setting(1_000, "Requests from an address to one process at once")
    rate_limit_webhooks_per_second: float = setting(
        2_000.0, "Webhooks from an address to one process; 0: no limit", zero=True
    )
    rate_limit_webhooks_burst: int = setting(4_000, "Webhooks from an address to one process at once")
    webhooks_max_bytes: int = setting(4 * 1024 * 1024, "Longest body of a provider's webhook; at most 4 MiB")
    simulator_url: str = setting("", "Page of telephones that the console shows beside itself; empty: none")
    ledger_url: str = setting(
        "http://127.0.0.1:8081/metrics", "Metrics of `chat4all ledger`, which the operators' page shows; empty: none"
    )
    cors_origins: str = setting("", 'Origins whose pages may call the API, separated by commas; "*": any; empty: none')
    hsts_seconds: int = setting(
        0, "max-age of Strict-Transport-Security, once all clients come over TLS; 0: not sent", zero=True
    )
    accept_timeout_seconds: float = setting(5.0, "How long Kafka may take to take a message, then it is a 503")
    recent_messages: int = setting(200_000, "Messages that one API process remembers, beside what is in Cassandra")
    group_membership_seconds: float = setting(
        2.0, "How long a member who was removed elsewhere may still get in", zero=True
    )
    group_outage_seconds: float = setting(
        900.0, "How long after its last check a membership of a group counts while Cassandra is silent", zero=True
    )
    listed_conversations: int = setting(2_000, "Conversations, joined last, that a list looks at; at most 5,000")
    jwt_secret: str = setting("", "Signs tokens; empty: one is made and kept in .chat4all/jwt-secret", secret=True)
    jwt_previous_secret: str = setting("", "Accepted as well while the secret is changed", secret=True)
    jwt_ttl_seconds: int = setting(3_600, "How long an access token is valid")
    refresh_ttl_seconds: int = setting(30 * 86_400, "A session ends so long after its last login or refresh")
    argon2_time_cost: int = setting(3, "Passes of Argon2 for the hash of a password")
    argon2_memory_kib: int = setting(65_536, "Memory of Argon2 for the hash of a password")
    argon2_parallelism: int = setting(1, "Lanes of Argon2 for the hash of a password")
    password_hashes_at_once: int = setting(2, "Passwords that one process hashes at once; others wait")
    login_failures_per_account: int = setting(
        10, "Wrong passwords for a username before it has to wait; 0: never", zero=True
    )
    login_longest_wait_seconds: float = setting(
        300.0, "Longest wait of a username; it doubles from 1 second on", zero=True
    )
    login_failures_per_address: int = setting(100, "Wrong passwords from one address at once, for whichever username")
    login_failures_per_address_hour: float = setting(
        600.0, "Wrong passwords from an address in an hour; 0: no limit", zero=True
    )
    trusted_proxies: str = setting("", "Networks whose X-Forwarded-For is believed, as 10.0.0.0/8,::1; empty: none")

    # Live notifications
    live_connections: int = setting(10_000, "WebSockets of one process", zero=True)
    live_connections_per_user: int = setting(20, "WebSockets of a user on one process")
    live_heartbeat_seconds: float = setting(30.0, "How often a ping is sent; no pong in half of it ends the connection")
    live_buffer_bytes: int = setting(256 * 1024, "What may wait for a slow reader; more ends the connection")
    live_max_frame_bytes: int = setting(4_096, "Longest frame from a client")
    live_membership_seconds: float = setting(
        4.0, "How long a member who left elsewhere may still get a group's frames", zero=True
    )
    live_replay_records: int = setting(200_000, "Records of the log that a cursor may lie back", zero=True)

    # Files
    files: str = setting("local", "Store of files: a folder that all share, or an S3", choices=("local", "s3"))
    files_dir: str = setting(".chat4all/files", "Folder of the local store")
    files_max_bytes: int = setting(2 * 1024**3, "Longest file")
    files_link_seconds: int = setting(3_600, "How long a download link holds")
    files_channel_link_seconds: int = setting(7 * 86_400, "How long a link in a message holds; S3 allows 7 days")
    files_timeout_seconds: float = setting(30.0, "How long one request to the store may take")
    uploads_at_once: int = setting(32, "Uploads through one process; each takes about 10 MiB of memory")
    uploads_per_user: int = setting(8, "Uploads of a user through one process")
    files_busy_share: float = setting(0.5, "Share of the event loop's time that files may take while messages come")
    downloads_at_once: int = setting(200, "Downloads through one process; links to an S3 do not count")
    upload_stall_seconds: float = setting(60.0, "A transfer ends when its client is silent for so long")
    upload_expiry_hours: float = setting(24.0, "An upload that can be resumed ends so long after its last byte")
    upload_hold_seconds: float = setting(30.0, "Silence after which another process may go on with an upload")
    files_sweep_seconds: float = setting(300.0, "How often the API clears away unfinished uploads; 0: never", zero=True)
    files_orphans_hours: float = setting(
        24.0, "How often the API looks for stored bytes that no file needs; 0: never", zero=True
    )
    files_grace_hours: float = setting(24.0, "Stored bytes that are younger may yet become a file", zero=True)
    public_url: str = setting("", "Begins links to files in a folder; empty: the Host of the request, or host and port")
    s3_url: str = setting("http://127.0.0.1:9000", "Where the S3 is, for the system")
    s3_public_url: str = setting("", "Where the S3 is, for clients and their download links; empty: s3_url")
    s3_bucket: str = setting("chat4all-files", "Bucket of all files; made if it is missing")
    s3_region: str = setting("us-east-1", "Region of the bucket")
    s3_access_key: str = setting("minioadmin", "Access key of the S3")
    s3_secret_key: str = setting("minioadmin", "Secret key of the S3", secret=True)

    # Metrics and logs
    metrics_host: str = setting("127.0.0.1", "Address that a worker's metrics listen on; 0.0.0.0: all, in a container")
    metrics_port: int = setting(8082, "Port of a worker's metrics; several workers count upwards from it", zero=True)
    otlp_url: str = setting("", "Collector of traces (OTLP), such as http://jaeger:4318; empty: no traces", secret=True)
    trace_share: float = setting(1.0, "Share of the traces begun here that are kept, 0 to 1", zero=True)
    log_level: str = setting("INFO", "Least level that is logged: DEBUG, INFO, WARNING, ERROR, CRITICAL")
    log_format: str = setting("auto", "Form of a log line; auto: text on a terminal, else JSON", choices=LOG_FORMATS)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings of ``environ`` (default: this process's, over those of ``.env``).

        Raises ``InvalidSetting`` with the variable, its value and the expected one; unknown ``CHAT4ALL_*`` names of
        other tools are left alone.
        """
        if environ is None:
            environ = {**read_env_file(Path(".env")), **os.environ}
        values: dict[str, Any] = {}
        for f in fields(cls):
            name = PREFIX + f.name.upper()
            if name in environ:
                values[f.name] = _convert(name, environ[name], f.default)
                if expected := expected_number(f.name, values[f.name], zero=f.metadata["zero"]):
                    raise InvalidSetting(f"{name}={environ[name]!r}: expected {expected}")
                choices = f.metadata.get("choices")
                if choices and values[f.name] not in choices:
                    raise InvalidSetting(f"{name}={environ[name]!r}: expected one of {', '.join(choices)}")
        settings = cls(**values)
        if faults := list(contradictions(settings)):
            raise InvalidSetting("\n".join(faults))
        return settings

    def to_environ(self) -> dict[str, str]:
        """Return the variables from which ``from_environ`` makes these settings again."""
        texts = {}
        for f in fields(self):
            value = getattr(self, f.name)
            texts[PREFIX + f.name.upper()] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        return texts


def _convert(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, tuple):
            kind = type(default[0])
            items = tuple(kind(part.strip()) for part in text.split(",") if part.strip())
            if not items or (kind is float and len(items) != len(default)):
                raise ValueError
            return items
        return type(default)(text)
    except ValueError:
        example = ",".join(map(str, default)) if isinstance(default, tuple) else default
        raise InvalidSetting(f"{name}={text!r}: expected something like {example!r}") from None
