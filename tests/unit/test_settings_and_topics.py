"""Settings from the environment, and the topics made of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner

from app.kafka.partitions import partition_for
from app.kafka.topics import all_topics, group_of
from app.roles import ROLES, modules_of
from app.settings import InvalidSetting, Settings
from chat4all.env_file import read_env_file
from domain.recipients import CHANNELS


def test_settings_survive_the_environment() -> None:
    settings = Settings(role="mirror", cassandra=("10.0.0.1", "10.0.0.2"), simulated_read_seconds=(0.0, 0.5))
    assert Settings.from_environ(settings.to_environ()) == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [("PARTITIONS", "six"), ("SIMULATED_READ_SECONDS", "1"), ("SIMULATED_READ_SECONDS", "a,b"), ("CASSANDRA", " , ")],
)
def test_a_wrong_value_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"CHAT4ALL_{name}"):
        Settings.from_environ({f"CHAT4ALL_{name}": text})


NUMBERS = [
    f
    for f in fields(Settings)
    if isinstance(f.default, int | float) or (isinstance(f.default, tuple) and isinstance(f.default[0], float))
]


def numbers_as(default: object, text: str) -> str:
    return ",".join([text] * len(default)) if isinstance(default, tuple) else text


@pytest.mark.parametrize("text", ["-1", "-inf", "nan", "inf", "1e400", str(10**20)])
@pytest.mark.parametrize("name", [f.name for f in NUMBERS])
def test_a_number_below_zero_or_beyond_all_counting_is_refused_by_name(name: str, text: str) -> None:
    default = next(f.default for f in NUMBERS if f.name == name)
    with pytest.raises(InvalidSetting, match=f"CHAT4ALL_{name.upper()}"):
        Settings.from_environ({f"CHAT4ALL_{name.upper()}": numbers_as(default, text)})


@pytest.mark.parametrize("name", [f.name for f in NUMBERS if not f.metadata["zero"]])
def test_zero_is_refused_where_nothing_would_move(name: str) -> None:
    with pytest.raises(InvalidSetting, match=f"CHAT4ALL_{name.upper()}"):
        Settings.from_environ({f"CHAT4ALL_{name.upper()}": "0"})


def test_what_says_that_zero_means_something_takes_it() -> None:
    for f in NUMBERS:
        if f.metadata["zero"]:
            text = numbers_as(f.default, "0")
            assert not getattr(Settings.from_environ({f"CHAT4ALL_{f.name.upper()}": text}), f.name) or "," in text
        else:
            assert "; 0:" not in f.metadata["about"]


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings(jwt_secret="hush-hush", cassandra_password="hush-hush"))
    assert "hush-hush" not in shown


def test_an_env_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# a comment\nCHAT4ALL_PORT=81\nCHAT4ALL_HOST='::1'\n\nnonsense\n")
    assert read_env_file(path) == {"CHAT4ALL_PORT": "81", "CHAT4ALL_HOST": "::1"}
    assert read_env_file(tmp_path / "none") == {}


def test_every_topic_has_the_same_number_of_partitions_and_stands_in_one_list() -> None:
    specs = all_topics(Settings(partitions=7, topic_prefix="x-"))
    assert {spec.partitions for spec in specs} == {7}
    assert [spec.name for spec in specs] == [
        "x-messages",
        "x-whatsapp-outbound",
        "x-instagram-outbound",
        "x-telegram-outbound",
        "x-whatsapp-events",
        "x-instagram-events",
        "x-telegram-events",
        "x-whatsapp-commands",
        "x-instagram-commands",
        "x-telegram-commands",
        "x-whatsapp-webhooks",
        "x-instagram-webhooks",
        "x-telegram-webhooks",
        "x-whatsapp-inbound",
        "x-instagram-inbound",
        "x-telegram-inbound",
        "x-whatsapp-contacts",
        "x-instagram-contacts",
        "x-telegram-contacts",
        "x-traces",
        "x-whatsapp-accounts",
        "x-instagram-accounts",
        "x-telegram-accounts",
        "x-status-updates",
        "x-dead-letters",
        "x-dead-letter-resolutions",
        "x-chat4all-core-message_state-changelog",
        "x-chat4all-whatsapp-attempts-changelog",
        "x-chat4all-whatsapp-queue-changelog",
        "x-chat4all-whatsapp-people-changelog",
        "x-chat4all-instagram-attempts-changelog",
        "x-chat4all-instagram-queue-changelog",
        "x-chat4all-instagram-people-changelog",
        "x-chat4all-telegram-attempts-changelog",
        "x-chat4all-telegram-queue-changelog",
        "x-chat4all-telegram-people-changelog",
    ]


def test_tables_are_compacted_and_facts_outlive_messages() -> None:
    specs = {spec.name: spec.config for spec in all_topics(Settings())}
    assert specs["chat4all-core-message_state-changelog"]["cleanup.policy"] == "compact"
    assert int(specs["status-updates"]["retention.ms"]) > int(specs["messages"]["retention.ms"])
    assert {config["message.timestamp.type"] for config in specs.values()} == {"LogAppendTime"}


def test_rows_that_prevent_a_second_send_outlive_every_record_that_could_cause_it() -> None:
    settings = Settings()
    repeating = [
        spec
        for spec in all_topics(settings)
        if spec.name == "messages" or spec.name.endswith(("-outbound", "-commands"))
    ]
    assert len(repeating) == 1 + 2 * len(CHANNELS)
    for spec in repeating:
        # a segment is removed when its last record has passed the retention; its first may be a segment older
        longest_ms = int(spec.config["retention.ms"]) + int(spec.config["segment.ms"])
        assert settings.state_retention_hours * 3_600_000 >= longest_ms + 86_400_000


def test_a_group_keeps_its_name() -> None:
    assert [group_of(role) for role in ROLES] == [
        "chat4all-core",
        "chat4all-mirror",
        "chat4all-whatsapp",
        "chat4all-instagram",
        "chat4all-telegram",
    ]


def test_an_unknown_role_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown role 'router'"):
        modules_of("router")


@pytest.mark.parametrize("key", [b"conv-1", b"", b"c", "conversação".encode()])
def test_partitions_are_those_of_every_kafka_client(key: bytes) -> None:
    assert partition_for(key, 6) == DefaultPartitioner()(key, list(range(6)), list(range(6)))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (
            {"STATE_RETENTION_HOURS": "215"},
            ["STATE_RETENTION_HOURS=215", "less than 216", "sent twice"],
        ),
        ({"EXPIRES_HOURS": "169"}, ["EXPIRES_HOURS=169", "MESSAGES_RETENTION_DAYS=7 (168 hours)", "twice"]),
        ({"STATE_RETENTION_HOURS": "nan"}, ["STATE_RETENTION_HOURS='nan'"]),
        ({"STATE_RETENTION_HOURS": "2000"}, ["STATE_RETENTION_HOURS=2000", "STATUS_RETENTION_DAYS=30"]),
        ({"STATUS_RETENTION_DAYS": "3"}, ["STATUS_RETENTION_DAYS=3", "MESSAGES_RETENTION_DAYS=7"]),
        ({"MESSAGES_RETENTION_DAYS": "8"}, ["STATE_RETENTION_HOURS=216", "240", "MESSAGES_RETENTION_DAYS=8"]),
        ({"MESSAGES_RETENTION_DAYS": "0"}, ["MESSAGES_RETENTION_DAYS='0'"]),
        ({"FILE_PATIENCE_HOURS": "500"}, ["FILE_PATIENCE_HOURS=500", "MESSAGES_RETENTION_DAYS=7"]),
        ({"MIN_INSYNC_REPLICAS": "2"}, ["MIN_INSYNC_REPLICAS=2", "REPLICATION_FACTOR=1"]),
        ({"OTLP_URL": "nonsense"}, ["OTLP_URL must be http"]),
        ({"OTLP_URL": "ftp://collector"}, ["OTLP_URL must be http"]),
        ({"OTLP_URL": "http://collector:99999"}, ["OTLP_URL must be http"]),
        ({"HEARTBEAT_SECONDS": "7"}, ["HEARTBEAT_SECONDS=7", "SESSION_TIMEOUT_SECONDS=6"]),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_a_sentence(
    wrong: dict[str, str], named: list[str]
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Settings.from_environ({f"CHAT4ALL_{name}": text for name, text in wrong.items()})
    assert all(word in str(caught.value) for word in named)


def test_the_defaults_contradict_nothing_and_retentions_may_be_raised_together() -> None:
    Settings.from_environ({})
    Settings.from_environ({"CHAT4ALL_MESSAGES_RETENTION_DAYS": "14", "CHAT4ALL_STATE_RETENTION_HOURS": "400"})
