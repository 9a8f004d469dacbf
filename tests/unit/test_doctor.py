"""`chat4all doctor` finds each planted fault by its name, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.kafka.topics import all_topics
from app.roles import ROLES
from app.settings import Settings
from cli.another_log import beyond
from cli.doctor_findings import MOST_SHOWN, Seen, TopicSeen, findings, lines_of
from cli.doctor_look import _account_faults, _api, _copies, seconds_ahead
from domain.ports import AccountFault

SETTINGS = Settings(
    replication_factor=3,
    min_insync_replicas=2,
    cassandra_replication_factor=3,
    jwt_secret="s" * 48,
    host="0.0.0.0",
    kafka="kafka-1.example.org:9092",
)
SPECS = all_topics(SETTINGS)
FIRST = SPECS[0].name
WELL = Seen(
    brokers=3,
    topics={spec.name: TopicSeen(spec.partitions, 3, 3, dict(spec.config)) for spec in SPECS},
    workers=dict.fromkeys(ROLES, 1),
    schema=130,
    latest_schema=130,
    copies=3,
    api={"kafka": "UP", "cassandra": "UP", "files": "UP"},
)


def with_topic(**changes: object) -> Seen:
    topic = replace(WELL.topics[FIRST], **changes)  # type: ignore[arg-type]
    return replace(WELL, topics={**WELL.topics, FIRST: topic})


def config(**changes: str) -> dict[str, str]:
    return {**WELL.topics[FIRST].config, **{key.replace("_", "."): value for key, value in changes.items()}}


def names(seen: Seen, settings: Settings = SETTINGS) -> list[str]:
    return [finding.name for finding in findings(settings, SPECS, seen)]


def test_a_system_that_is_well_has_no_findings() -> None:
    assert names(WELL) == []


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        (replace(WELL, brokers=None), "kafka-away"),
        (replace(WELL, brokers=2), "brokers-too-few"),
        (replace(WELL, topics={k: v for k, v in WELL.topics.items() if k != FIRST}), "topics-missing"),
        (with_topic(partitions=12), "topic-partitions"),
        (with_topic(replicas=2, in_sync=2), "topic-copies"),
        (with_topic(in_sync=1), "topic-out-of-sync"),
        (with_topic(config=config(min_insync_replicas="1")), "topic-min-insync"),
        (with_topic(config=config(retention_ms="1000")), "topic-settings"),
        (replace(WELL, workers={**WELL.workers, "mirror": 0}), "role-without-worker"),
        (replace(WELL, schema=None), "cassandra-away"),
        (replace(WELL, schema=121), "schema-old"),
        (replace(WELL, copies=1), "keyspace-copies"),
        (replace(WELL, another_log="Cassandra has more"), "another-log"),
        (replace(WELL, api=None), "api-away"),
        (replace(WELL, api={"files": "DOWN"}), "api-component"),
        (replace(WELL, seconds_off=-60.0), "clock-off"),
        (replace(WELL, accounts=[("whatsapp/main", AccountFault("account-webhook", "none", "do"))]), "account-webhook"),
        (replace(WELL, account_faults=["the variable WA_TOKEN is not set"]), "account"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_fault_is_found_by_its_name(seen: Seen, name: str) -> None:
    found = findings(SETTINGS, SPECS, seen)
    assert [finding.name for finding in found] == [name]
    assert found[0].advice
    assert not found[0].is_warning


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"jwt_secret": ""}, "jwt-secret"), ({"files": "s3"}, "s3-keys")],
    ids=["jwt-secret", "s3-keys"],
)
def test_a_risk_is_a_warning(changes: dict[str, str], name: str) -> None:
    found = findings(replace(SETTINGS, **changes), SPECS, WELL)  # type: ignore[arg-type]
    assert [(finding.name, finding.is_warning) for finding in found] == [(name, True)]


@pytest.mark.parametrize(
    ("histories", "ends", "part"),
    [
        ({}, {}, ""),
        ({}, {0: 5}, ""),
        ({0: 4, 1: 0}, {0: 5, 1: 1}, ""),
        ({0: 4, 1: 1_000}, {0: 5, 1: 1_000}, "offset 1,000 of partition 1, where Kafka ends at 1,000"),
        ({0: 4, 7: 3}, {0: 5}, "offset 3 of partition 7, where Kafka ends at 0"),
    ],
)
def test_histories_beyond_the_end_of_the_log_are_of_another_one(
    histories: dict[int, int], ends: dict[int, int], part: str
) -> None:
    assert (part in beyond(histories, ends)) if part else not beyond(histories, ends)


def test_one_copy_elsewhere_is_a_risk() -> None:
    one = replace(SETTINGS, replication_factor=1, cassandra_replication_factor=1)
    assert names(WELL, one) == ["one-copy"]
    assert names(WELL, replace(one, kafka="127.0.0.1:9092")) == []


def test_the_fewest_copies_of_any_datacenter_count() -> None:
    assert _copies({"class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "1"}) == 1
    assert _copies({"class": "SimpleStrategy", "replication_factor": "3"}) == 3


def test_a_secret_that_is_not_there_is_told_with_its_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    file = tmp_path / "accounts.toml"
    file.write_text('[[whatsapp]]\nname = "main"\ntoken_env = "NO_SUCH_TOKEN"\napp_secret_file = "nothing"\n')
    faults = _account_faults(Settings(accounts=str(file)))
    assert len(faults) == 2
    assert all("main" in fault for fault in faults)


def test_nobody_who_answers_is_no_api() -> None:
    assert _api("http://127.0.0.1:1") == (None, 0.0)


@pytest.mark.parametrize(
    ("before", "said", "after", "expected"),
    [(100.2, 100.0, 100.3, 0.0), (100.9, 100.0, 108.0, 0.0), (160.5, 100.0, 161.0, 59.5), (40.5, 100.0, 41.0, -59.0)],
    ids=["at once", "a slow answer", "ahead", "behind"],
)
def test_a_slow_answer_is_no_wrong_clock(before: float, said: float, after: float, expected: float) -> None:
    assert seconds_ahead(before, said, after) == pytest.approx(expected)


def test_faults_that_all_topics_have_share_a_line() -> None:
    seen = replace(WELL, topics={name: replace(topic, replicas=1, in_sync=1) for name, topic in WELL.topics.items()})
    lines = list(lines_of(findings(SETTINGS, SPECS, seen)))
    assert len(lines) == 1
    assert f"and {len(SPECS) - MOST_SHOWN} more" in lines[0]
