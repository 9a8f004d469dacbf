"""All settings, read once from ``CHAT4ALL_*`` variables (and ``.env``). Units are in the names.

``chat4all config`` prints them with secrets hidden.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

PREFIX = "CHAT4ALL_"


class InvalidSetting(ValueError):
    """A ``CHAT4ALL_*`` variable holds something that its setting cannot be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One frozen value, made by ``Settings.from_environ()``. Each field is the variable ``CHAT4ALL_<FIELD>``."""

    # which part of the pipeline this process is: core, mirror, whatsapp, instagram, telegram
    role: str = "core"
    # stable name of this worker within its role (static membership); empty: a member that comes and goes
    instance: str = ""
    # this machine's part in the names that `chat4all worker` gives its workers; empty: host name and hash of data_dir
    node: str = ""

    # Kafka
    kafka: str = "127.0.0.1:9092"
    topic_prefix: str = ""  # set apart several systems (or test runs) on one cluster
    partitions: int = 6
    replication_factor: int = 1
    min_insync_replicas: int = 1
    produce_timeout_seconds: float = 10.0
    session_timeout_seconds: float = 6.0
    heartbeat_seconds: float = 1.0
    # the broker answers a worker's fetch once it has this many bytes, or after this time: records gather there, and a
    # message wakes each worker on its way less often (docs/adr/0078-gather-at-the-broker.md)
    fetch_min_bytes: int = 65_536
    fetch_wait_ms: int = 50
    # the same for the API, which reads all topics of messages and facts
    follower_fetch_min_bytes: int = 8_192
    follower_fetch_wait_ms: int = 30
    # added to a worker's niceness, so that the API and Kafka get a busy processor first; 0: leave it as it is
    worker_nice: int = 5
    max_poll_records: int = 500
    commit_interval_seconds: float = 0.5
    watchdog_seconds: float = 60.0
    messages_retention_days: int = 7
    status_retention_days: int = 30
    dead_letters_retention_days: int = 90

    # tables
    store: str = "rocksdb"  # or "memory"
    data_dir: str = ".chat4all/workers"
    standby_replicas: int = 1
    state_retention_hours: float = 168.0

    # delivery
    in_flight_per_worker: int = 10_000
    # since its acceptance, a message waits so long for a store of files that is away, and then it fails
    file_patience_hours: float = 24.0
    files_fetched_at_once: int = 8  # of one worker; each has a few MiB in memory
    simulated_delivered_seconds: tuple[float, float] = (1.0, 3.0)
    simulated_read_seconds: tuple[float, float] = (2.0, 5.0)

    # mirror
    mirror_linger_seconds: float = 0.25
    mirror_batch_messages: int = 2_000

    # Cassandra
    cassandra: tuple[str, ...] = ("127.0.0.1",)
    cassandra_port: int = 9042
    keyspace: str = "chat4all"
    cassandra_replication_factor: int = 1
    cassandra_consistency: str = "LOCAL_QUORUM"
    cassandra_timeout_seconds: float = 2.0
    cassandra_datacenter: str = ""  # empty: that of the first host that answers
    cassandra_username: str = ""
    cassandra_password: str = field(default="", repr=False)

    # API
    host: str = "127.0.0.1"
    port: int = 8080
    max_body_bytes: int = 64 * 1024
    max_batch_body_bytes: int = 8 * 1024 * 1024
    max_header_bytes: int = 8_190  # of the request line, and of each header
    max_headers: int = 128
    # requests of a user, and from an address, to one process: so many a second, so many at once; 0 a second: no limit
    rate_limit_user_per_second: float = 5_000.0
    rate_limit_user_burst: int = 10_000
    rate_limit_address_per_second: float = 0.0
    rate_limit_address_burst: int = 1_000
    # origins whose pages may call the API, separated by commas, such as "https://chat.example.org"; "*": any
    cors_origins: str = ""
    hsts_seconds: int = 0  # Strict-Transport-Security, once all clients come over TLS; 0: not sent
    accept_timeout_seconds: float = 5.0
    recent_messages: int = 200_000
    group_membership_seconds: float = 2.0  # how long who was removed from a group elsewhere may still get in
    listed_conversations: int = 2_000  # GET /v1/conversations looks at so many that the user joined last; at most 5,000
    jwt_secret: str = field(default="", repr=False)  # empty: one is made and kept in .chat4all/jwt-secret
    jwt_previous_secret: str = field(default="", repr=False)  # accepted as well; how to change keys: web/tokens.py
    jwt_ttl_seconds: int = 3600
    refresh_ttl_seconds: int = 30 * 86_400  # a session ends this long after its last login or refresh
    argon2_time_cost: int = 3
    argon2_memory_kib: int = 65_536
    argon2_parallelism: int = 1
    password_hashes_at_once: int = 2
    # logins: wrong passwords for one username before the next attempt has to wait (1, 2, 4, … seconds); 0: never
    login_failures_per_account: int = 10
    login_longest_wait_seconds: float = 300.0
    # wrong passwords from one address, whoever they are for: so many at once, so many an hour; 0 an hour: any number
    login_failures_per_address: int = 100
    login_failures_per_address_hour: float = 600.0
    # networks of proxies whose X-Forwarded-For is believed, such as "10.0.0.0/8,::1"; empty: clients connect themselves
    trusted_proxies: str = ""

    # live notifications
    live_connections: int = 10_000  # of one process
    live_connections_per_user: int = 20  # on one process
    live_heartbeat_seconds: float = 30.0  # a ping that often; no pong within half of it ends the connection
    live_buffer_bytes: int = 256 * 1024  # may wait for a reader who is slow
    live_max_frame_bytes: int = 4_096  # from a client
    live_membership_seconds: float = 4.0  # how long who left a group elsewhere may still get its frames
    live_replay_records: int = 200_000  # a cursor further back than so many records of the log is too old

    # files: "local" (a folder, which all processes must share) or "s3" (MinIO, or any other S3)
    files: str = "local"
    files_dir: str = ".chat4all/files"
    files_max_bytes: int = 2 * 1024**3
    files_link_seconds: int = 3_600  # how long a download link holds
    files_channel_link_seconds: int = 7 * 86_400  # one in a message, where a channel cannot take the file; S3: 7 days
    files_timeout_seconds: float = 30.0  # of one request to the store
    uploads_at_once: int = 32  # of one process; each has about 10 MiB in memory
    uploads_per_user: int = 8  # of those
    files_busy_share: float = 0.5  # of the event loop's time, while messages come; files are paced to leave the rest
    downloads_at_once: int = 200  # through one process; links to S3 do not count
    upload_stall_seconds: float = 60.0  # no byte from the client for so long ends a request
    upload_expiry_hours: float = 24.0  # since the last byte of an upload that can be resumed
    upload_hold_seconds: float = 30.0  # after so long without a sign, another process may go on with an upload
    files_sweep_seconds: float = 300.0  # how often the API clears away uploads that nobody finished; 0: never
    files_orphans_hours: float = 24.0  # how often it looks through the store for what belongs to no file; 0: never
    files_grace_hours: float = 24.0  # what the store has for a shorter time belongs to no file yet, perhaps
    # how clients reach the API, for links to files in a folder; empty: as the request came (in messages: host and port)
    public_url: str = ""
    s3_url: str = "http://127.0.0.1:9000"
    s3_public_url: str = ""  # how clients reach the store, for its download links; empty: s3_url
    s3_bucket: str = "chat4all-files"
    s3_region: str = "us-east-1"
    s3_access_key: str = "minioadmin"
    s3_secret_key: str = field(default="minioadmin", repr=False)

    # workers
    metrics_port: int = 8082
    log_level: str = "INFO"
    log_format: str = "auto"  # "json", "text", or "auto": text on a terminal

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings of ``environ`` (default: this process's, over those of ``.env``).

        Raises ``InvalidSetting`` naming the variable, its value and what was expected; unknown ``CHAT4ALL_*``
        names of other tools are left alone.
        """
        if environ is None:
            environ = {**read_env_file(Path(".env")), **os.environ}
        values: dict[str, Any] = {}
        for f in fields(cls):
            name = PREFIX + f.name.upper()
            if name in environ:
                values[f.name] = _convert(name, environ[name], f.default)
        return cls(**values)

    def to_environ(self) -> dict[str, str]:
        """Return the variables from which ``from_environ`` makes these settings again."""
        texts = {}
        for f in fields(self):
            value = getattr(self, f.name)
            texts[PREFIX + f.name.upper()] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        return texts


def read_env_file(path: Path) -> dict[str, str]:
    """Return the ``NAME=value`` lines of ``path``, nothing if it is not there. ``#`` begins a comment line."""
    if not path.is_file():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, equals, value in pairs if equals}


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
