"""The findings of `chat4all doctor`: each fault by its name, with advice. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.kafka.topics import TopicSpec
from app.settings import Settings
from domain.ports import AccountFault

MOST_SECONDS_OFF = 2.0
MOST_SHOWN = 3
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MIN_INSYNC = "min.insync.replicas"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, or with ``is_warning`` one risk. ``name`` never changes; ``advice``: what to do."""

    name: str
    detail: str
    advice: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic as Kafka describes it. ``replicas`` and ``in_sync``: the fewest of any partition."""

    partitions: int
    replicas: int
    in_sync: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen; ``None``: nothing, because the server does not answer.

    ``workers``: those with partitions, by role. ``copies``: of the keyspace; 0: there is none. ``another_log``: what
    shows that the histories are not of Kafka's log. ``api``: the state of
    each component by the API's word. ``seconds_off``: this machine's clock against the API's. ``account_faults``:
    sentences. ``accounts``: what providers say of accounts (``whatsapp/main``).
    """

    brokers: int | None = None
    topics: Mapping[str, TopicSeen] = field(default_factory=dict)
    workers: Mapping[str, int] = field(default_factory=dict)
    schema: int | None = None
    latest_schema: int = 0
    copies: int = 0
    another_log: str = ""
    api: Mapping[str, str] | None = None
    seconds_off: float = 0.0
    account_faults: Sequence[str] = ()
    accounts: Sequence[tuple[str, AccountFault]] = ()


def findings(settings: Settings, specs: Sequence[TopicSpec], seen: Seen) -> list[Finding]:
    """Return the faults, causes before their consequences."""
    return [
        *_of_kafka(settings, specs, seen),
        *_of_cassandra(settings, seen),
        *_of_the_api(settings, seen),
        *(Finding("account", fault, "see docs/accounts.md") for fault in seen.account_faults),
        *(Finding(fault.name, f"{name}: {fault.detail}", fault.advice) for name, fault in seen.accounts),
        *_risks(settings),
    ]


def lines_of(found: Sequence[Finding]) -> Iterator[str]:
    """Yield a line for each fault; those of one name with one advice share it, since topics have their faults alike."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for each in found:
        groups.setdefault((each.name, each.advice), []).append(each)
    for (name, advice), alike in groups.items():
        word = "warning" if alike[0].is_warning else "FAULT"
        more = f" (and {len(alike) - MOST_SHOWN} more)" if len(alike) > MOST_SHOWN else ""
        details = "; ".join(each.detail for each in alike[:MOST_SHOWN])
        yield f"{word} {name}: {details}{more}. Do: {advice}."


def _of_kafka(settings: Settings, specs: Sequence[TopicSpec], seen: Seen) -> Iterator[Finding]:
    if seen.brokers is None:
        yield Finding("kafka-away", f"Kafka at {settings.kafka} does not answer", "start it, or correct CHAT4ALL_KAFKA")
        return
    if seen.brokers < settings.replication_factor:
        detail = f"{seen.brokers} brokers for {settings.replication_factor} copies"
        yield Finding("brokers-too-few", detail, "start more brokers, or correct CHAT4ALL_REPLICATION_FACTOR")
    if missing := [spec.name for spec in specs if spec.name not in seen.topics]:
        yield Finding("topics-missing", ", ".join(missing), "run `chat4all migrate`")
    for spec in specs:
        if (topic := seen.topics.get(spec.name)) is not None:
            yield from _of_topic(spec, topic)
    for role, count in seen.workers.items():
        if not count:
            yield Finding("role-without-worker", f"nobody works for {role}", f"start `chat4all worker --role {role}`")


def _of_topic(spec: TopicSpec, seen: TopicSeen) -> Iterator[Finding]:
    if seen.partitions != spec.partitions:
        detail = f"{spec.name} has {seen.partitions} partitions, the settings say {spec.partitions}"
        yield Finding("topic-partitions", detail, "correct CHAT4ALL_PARTITIONS: the number of a topic is never changed")
    if seen.replicas < spec.replication_factor:
        detail = f"{spec.name} has {seen.replicas} copies, the settings say {spec.replication_factor}"
        yield Finding("topic-copies", detail, "add copies with kafka-reassign-partitions")
    if seen.in_sync < seen.replicas:
        detail = f"{spec.name}: {seen.in_sync} of {seen.replicas} copies are in sync"
        yield Finding("topic-out-of-sync", detail, "look for a broker that is away or slow")
    wanted = dict(spec.config)
    insync = wanted.pop(_MIN_INSYNC, None)
    if insync is not None and seen.config.get(_MIN_INSYNC, insync) != insync:
        detail = f"{spec.name}: {_MIN_INSYNC} is {seen.config[_MIN_INSYNC]}, the settings say {insync}"
        yield Finding("topic-min-insync", detail, "run `chat4all migrate`")
    differing = [
        f"{key} {seen.config[key]}, not {value}" for key, value in wanted.items() if _differs(seen, key, value)
    ]
    if differing:
        yield Finding("topic-settings", f"{spec.name}: {'; '.join(differing)}", "run `chat4all migrate`")


def _differs(seen: TopicSeen, key: str, value: str) -> bool:
    return seen.config.get(key, value) != value


def _of_cassandra(settings: Settings, seen: Seen) -> Iterator[Finding]:
    if seen.schema is None:
        where = f"{','.join(settings.cassandra)}:{settings.cassandra_port}"
        yield Finding(
            "cassandra-away", f"Cassandra at {where} does not answer", "start it, or correct CHAT4ALL_CASSANDRA"
        )
        return
    if seen.schema < seen.latest_schema:
        detail = f"keyspace {settings.keyspace} is at {seen.schema:04d}, this release needs {seen.latest_schema:04d}"
        yield Finding("schema-old", detail, "run `chat4all migrate`")
    if 0 < seen.copies < settings.cassandra_replication_factor:
        detail = f"keyspace {settings.keyspace} has {seen.copies} copies, not {settings.cassandra_replication_factor}"
        yield Finding("keyspace-copies", detail, "ALTER KEYSPACE, then nodetool repair on each node")
    if seen.another_log:
        yield Finding("another-log", seen.another_log, "stop everything; see docs/operations.md, Another log")


def _of_the_api(settings: Settings, seen: Seen) -> Iterator[Finding]:
    if seen.api is None:
        yield Finding("api-away", "the API does not answer", "start `chat4all api`, or name its URL")
        return
    for name, status in seen.api.items():
        if status != "UP":
            yield Finding("api-component", f"the API says that {name} is {status}", f"look at {name} from its machine")
    if abs(seen.seconds_off) > MOST_SECONDS_OFF:
        detail = f"this machine's clock and the API's differ by {abs(seen.seconds_off):.0f} s"
        yield Finding("clock-off", detail, "let NTP set the clocks of all machines")


def _risks(settings: Settings) -> Iterator[Finding]:
    if not settings.jwt_secret and settings.host not in _LOOPBACK:
        detail = "tokens are signed with a secret that was made here: a second machine would refuse them"
        yield Finding("jwt-secret", detail, "set CHAT4ALL_JWT_SECRET, the same everywhere", is_warning=True)
    if settings.files == "s3" and settings.s3_secret_key == Settings().s3_secret_key:
        yield Finding("s3-keys", "the store of files has its usual keys", "set CHAT4ALL_S3_SECRET_KEY", is_warning=True)
    if settings.replication_factor == 1 and settings.kafka.rpartition(":")[0] not in _LOOPBACK:
        detail = "one copy of every record: a broker that is lost takes messages with it"
        yield Finding("one-copy", detail, "CHAT4ALL_REPLICATION_FACTOR=3 before the first migrate", is_warning=True)
