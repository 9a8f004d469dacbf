"""A worker's identity is its name: where it answers HTTP may change from one life to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.types import TP

from app.faust.stream_app import StreamApp
from app.settings import Settings

PARTITIONS = range(6)


class Ended(BaseException):
    """What ``abort`` does, without the end of the process."""


class Cluster:
    """Every topic has six partitions."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(PARTITIONS)


def worker(folder: Path, name: str, port: int) -> Any:
    """An app as ``faust -A app worker --web-port PORT`` makes it."""
    app: Any = StreamApp(Settings(role="core", data_dir=str(folder), store="memory", instance=name))
    app.conf.web_port = port
    app.conf.canonical_url = f"http://127.0.0.1:{port}"

    def abort(what: str, error: BaseException) -> None:
        raise Ended(what, repr(error))

    app.abort = abort
    return app


def joined(leader: StreamApp, *members: StreamApp) -> dict[str, ConsumerProtocolMemberAssignment]:
    """What the leader of a group gives to its members, as the broker keeps it, by instance."""
    topics = {"messages", "status-updates", leader.tables.data["message_state"].changelog_topic_name}
    metadata = {
        app.settings.instance: ConsumerProtocolMemberMetadata.decode(app.assignor.metadata(topics).encode())
        for app in members
    }
    given = leader.assignor.assign(Cluster(), metadata)
    return {name: ConsumerProtocolMemberAssignment.decode(one.encode()) for name, one in given.items()}


def test_a_member_that_comes_back_under_another_address_takes_the_assignment_that_the_group_kept(
    tmp_path: Path,
) -> None:
    before = worker(tmp_path, "core-1.here", 8082)
    kept = joined(before, before)["core-1.here"]

    after = worker(tmp_path, "core-1.here", 8099)
    after.assignor.on_assignment(kept)

    assert {TP("messages", n) for n in PARTITIONS} <= after.assignor.assigned_actives()


def test_a_member_takes_an_assignment_that_a_release_with_addresses_made(tmp_path: Path) -> None:
    before = worker(tmp_path, "core-1.here", 8082)
    kept = joined(before, before)["core-1.here"]
    metadata = before.assignor._decompress(kept.user_data)
    assert b"worker://core-1.here" in metadata
    old = metadata.replace(b"worker://core-1.here", b"http://127.0.0.1:8082")
    kept = ConsumerProtocolMemberAssignment(kept.version, kept.assignment, before.assignor._compress(old))

    after = worker(tmp_path, "core-1.here", 8082)
    after.assignor.on_assignment(kept)

    assert {TP("messages", n) for n in PARTITIONS} <= after.assignor.assigned_actives()


def test_workers_on_two_hosts_with_the_same_port_are_told_apart(tmp_path: Path) -> None:
    one, other = worker(tmp_path, "core-1.here", 8082), worker(tmp_path, "core-1.there", 8082)
    given = joined(one, one, other)
    for app in (one, other):
        app.assignor.on_assignment(given[app.settings.instance])
    assert not one.assignor.assigned_actives() & other.assignor.assigned_actives()
    assert len(one.assignor.tables_metadata()) == 2


@pytest.mark.parametrize("user_data", [b"", b"not compressed"])
def test_a_worker_that_cannot_read_its_assignment_ends_at_once(tmp_path: Path, user_data: bytes) -> None:
    app = worker(tmp_path, "core-1.here", 8082)
    with pytest.raises(Ended, match="assignment"):
        app.assignor.on_assignment(ConsumerProtocolMemberAssignment(4, [("messages", [0])], user_data))


def test_a_worker_whose_assignment_contradicts_itself_ends_at_once(tmp_path: Path) -> None:
    app = worker(tmp_path, "core-1.here", 8082)
    kept = joined(app, app)["core-1.here"]
    with pytest.raises(Ended, match="assignment"):
        app.assignor.on_assignment(ConsumerProtocolMemberAssignment(4, [("messages", [0])], kept.user_data))


def test_a_leader_that_cannot_assign_ends_at_once(tmp_path: Path) -> None:
    app = worker(tmp_path, "core-1.here", 8082)
    with pytest.raises(Ended, match="assignment"):
        app.assignor.assign(Cluster(), {"somebody": ConsumerProtocolMemberMetadata(4, ["messages"], b"nonsense")})
