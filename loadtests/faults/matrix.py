"""The rows, as data."""

from __future__ import annotations

from collections.abc import Iterator

from app.fault_points import POINTS
from loadtests.faults import acts, client_acts, cluster
from loadtests.faults.acts import HOUR_MS
from loadtests.faults.row import CLUSTER_WORLD, Row
from loadtests.faults.world import CHANNEL

SHORT_KILLS = {("core", "changelog-on-its-way"), (CHANNEL, "called")}
DEAD = {"windows": [{"kind": "unavailable"}]}
SILENT = {"windows": [{"kind": "silent"}], "hang_seconds": 6}
SLOW = {"latency_seconds": [1.0, 2.5]}
LYING = {
    "error_share": 0.1,
    "bad_json_share": 0.1,
    "html_share": 0.05,
    "cut_after_share": 0.05,
    "twice_share": 0.3,
    "disorder_share": 0.3,
    "early_share": 0.2,
    "stranger_share": 0.1,
    "impossible_time_share": 0.1,
}


def _kills() -> Iterator[Row]:
    for role, point in acts.all_kills():
        yield Row(
            f"{role} killed: {point}",
            "kill -9 at each await",
            POINTS[point][1],
            acts.killed_at(role, point),
            load_seconds=2.5,
            after_seconds=2.5,
            is_short=(role, point) in SHORT_KILLS,
        )


_API = (
    Row(
        "API killed",
        "the API",
        "one of two processes is killed under load",
        acts.killed("api-1"),
    ),
    Row(
        "API killed in an upload: between parts",
        "the API",
        "the process dies before the second part of a file is stored; the client goes on",
        client_acts.upload_killed_at("upload-part"),
    ),
    Row(
        "API killed in an upload: all stored",
        "the API",
        "the process dies when the store has the last part and no row says so",
        client_acts.upload_killed_at("upload-whole"),
    ),
    Row(
        "a client never reads",
        "the API",
        "a WebSocket with a receive buffer of 4 KiB reads nothing while 100 messages a second come for it",
        client_acts.client_never_reads,
    ),
    Row(
        "ten times the load",
        "the API",
        "200 messages a second for a minute, instead of 20",
        client_acts.times_the_load(10, client_acts.FLOOD_SECONDS),
        per_second=20,
        within_seconds=60,
        settle_seconds=120,
    ),
)
_WORKERS = (
    Row("worker stopped gracefully", "workers", "SIGTERM; it starts again", acts.replaced_gracefully(f"{CHANNEL}-1")),
    Row(
        "a partition goes back and forth",
        "workers",
        "a worker is frozen for 8 s, longer than its session; its partitions move, and move back; twice",
        acts.frozen(f"{CHANNEL}-1", 8, times=2),
        within_seconds=20,
        expects=("ProcessDown",),
    ),
    Row(
        "core frozen",
        "workers",
        "a worker of core is frozen for 8 s, longer than its session",
        acts.frozen("core-1", 8),
        within_seconds=20,
        expects=("ProcessDown",),
    ),
    Row(
        "disk full",
        "workers",
        "the tables of a worker lie on a tmpfs of 24 MiB, which is filled for 10 s",
        acts.disk_full,
        within_seconds=30,
        settle_seconds=90,
    ),
    Row(
        "clock one hour ahead",
        "workers",
        "the clocks of all workers step by +1 h for 5 s, and back",
        acts.clock_stepped(HOUR_MS, "core", CHANNEL, "mirror"),
    ),
    Row(
        "clock one hour behind",
        "workers",
        "the clocks of all workers step by −1 h for 5 s, and back",
        acts.clock_stepped(-HOUR_MS, "core", CHANNEL, "mirror"),
    ),
    Row(
        "API's clock one hour behind",
        "workers",
        "the clocks of the API step by −1 h for 5 s, and back",
        acts.clock_stepped(-HOUR_MS, "api"),
    ),
)
_KAFKA = (
    Row(
        "Kafka killed",
        "servers",
        "the only broker is killed and starts 3 s later",
        acts.part_killed("kafka", 3),
        may_refuse=True,
        within_seconds=30,
        settle_seconds=90,
        expects=("AcceptErrorsFast",),
    ),
    Row(
        "Kafka paused",
        "servers",
        "the only broker is frozen for 8 s, longer than a session",
        acts.part_paused("kafka", 8),
        may_refuse=True,
        within_seconds=30,
        settle_seconds=90,
    ),
    Row(
        "Kafka restarted",
        "servers",
        "the only broker stops gracefully and starts",
        acts.part_restarted("kafka"),
        may_refuse=True,
        within_seconds=30,
        settle_seconds=90,
    ),
)
_CASSANDRA = (
    Row(
        "Cassandra stopped",
        "servers",
        "Cassandra is stopped and starts again",
        acts.part_restarted("cassandra"),
        settle_seconds=120,
    ),
    Row(
        "Cassandra refuses",
        "servers",
        "connections to Cassandra are cut and refused for 6 s",
        acts.cassandra(acts.CLOSED, 6),
    ),
    Row("Cassandra slow", "servers", "each packet waits for 0.2 to 0.6 s, for 8 s", acts.cassandra(acts.SLOW, 8)),
    Row(
        "Cassandra half-open",
        "servers",
        "connections to Cassandra stay open and carry nothing for 8 s",
        acts.cassandra(acts.STALLED, 8),
        is_short=True,
    ),
    Row(
        "Cassandra throttled",
        "servers",
        "20 kB/s for each connection, for 10 s",
        acts.cassandra(acts.THROTTLED, 10),
    ),
    Row(
        "the way to Cassandra comes and goes",
        "servers",
        "one packet in 20 cuts its connection, for 3 s, three times",
        acts.cassandra(acts.FLAKY, 3, times=3),
    ),
)
_MINIO = (
    Row(
        "MinIO stopped",
        "servers",
        "the store of files is killed during an upload and starts 4 s later",
        client_acts.minio_killed_mid_upload,
    ),
)
_PROVIDER = (
    Row(
        "provider dead",
        "the provider",
        "every call is answered 503 for 8 s",
        acts.provider(DEAD, 8),
        within_seconds=15,
        expects=("BreakerOpen",),
    ),
    Row(
        "provider silent",
        "the provider",
        "no call is answered for 8 s; a call ends after 3 s",
        acts.provider(SILENT, 8),
        within_seconds=20,
        expects=("UnknownOutcomes",),
    ),
    Row("provider slow", "the provider", "every call takes 1.0 to 2.5 s, for 10 s", acts.provider(SLOW, 10)),
    Row(
        "provider lies",
        "the provider",
        "500s and error pages for messages that it took, half JSON, cut answers; receipts twice, in disorder, early, "
        "of strangers, with impossible times; for 10 s",
        acts.provider(LYING, 10),
        within_seconds=20,
        expects=("UnknownOutcomes", "ImpossibleTimes"),
        is_short=True,
    ),
)
_CLUSTER = (
    Row(
        "one broker of three killed",
        "servers",
        "three brokers, three copies, two must have a record; a broker is killed and starts 8 s later",
        cluster.broker_killed(8),
        world=CLUSTER_WORLD,
        within_seconds=20,
        settle_seconds=90,
        may_refuse=True,
    ),
    Row(
        "one broker of three frozen",
        "servers",
        "as above; a broker is frozen for 8 s",
        cluster.broker_frozen(8),
        world=CLUSTER_WORLD,
        within_seconds=20,
        settle_seconds=90,
        may_refuse=True,
    ),
)
MATRIX: tuple[Row, ...] = (*_CLUSTER, *_kills(), *_PROVIDER, *_CASSANDRA, *_WORKERS, *_API, *_MINIO, *_KAFKA)
