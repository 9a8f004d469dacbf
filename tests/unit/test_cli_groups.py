"""Members of consumer groups, as `chat4all run` sees them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError
from aiokafka.protocol.group import LeaveGroupRequest

from cli.groups import Groups

ASSIGNMENT = b"partitions"


class Admin:
    """Answers like aiokafka's client. ``members`` by group: the group's state, and an assignment by member id."""

    def __init__(self, members: dict[str, tuple[str, dict[str, bytes]]]) -> None:
        self.members = members
        self.error: Exception | None = None

    async def describe_consumer_groups(self, names: list[str]) -> list[SimpleNamespace]:
        if self.error is not None:
            raise self.error
        (name,) = names
        state, held = self.members[name]
        rows = [(member, "client", "host", b"metadata", assignment) for member, assignment in held.items()]
        return [SimpleNamespace(groups=[(0, name, state, "consumer", "range", rows)])]


async def test_members_with_partitions_are_those_of_stable_groups_alone() -> None:
    admin = Admin(
        {
            "core": ("Stable", {"core-1-uuid": ASSIGNMENT, "core-2-uuid": b""}),
            "mirror": ("PreparingRebalance", {"mirror-1-uuid": ASSIGNMENT}),
            "whatsapp": ("Empty", {}),
        }
    )
    assert await Groups(admin, admin.members).members() == {"core-1-uuid"}


async def test_while_there_is_no_coordinator_nobody_is_a_member() -> None:
    admin = Admin({"core": ("Stable", {"core-1-uuid": ASSIGNMENT})})
    admin.error = GroupCoordinatorNotAvailableError()
    assert await Groups(admin, admin.members).members() == set()


class Leaving(Admin):
    """Notes who is taken out of a group."""

    def __init__(self, members: dict[str, tuple[str, dict[str, bytes]]]) -> None:
        super().__init__(members)
        self.left: list[str] = []
        self.error_codes: dict[str, int] = {}
        self._client = SimpleNamespace(send=self._send)

    async def find_coordinator(self, name: str) -> int:
        return 1

    async def _send(self, coordinator: int, request: LeaveGroupRequest) -> SimpleNamespace:
        self.left.append(request._member_id)
        return SimpleNamespace(error_code=self.error_codes.get(request._member_id, 0))


async def test_a_worker_that_ended_leaves_its_group_to_the_others() -> None:
    admin = Leaving({"core": ("Stable", {"core-1-uuid": ASSIGNMENT, "core-2-uuid": ASSIGNMENT})})
    groups = Groups(admin, admin.members)
    assert await groups.dismiss(lambda member: member == "core-1-uuid", only_beside_others=True) == ["core-1-uuid"]
    assert admin.left == ["core-1-uuid"]


async def test_the_only_worker_of_a_group_stays_its_member() -> None:
    admin = Leaving({"core": ("Stable", {"core-1-uuid": ASSIGNMENT})})
    groups = Groups(admin, admin.members)
    assert await groups.dismiss(lambda member: member == "core-1-uuid", only_beside_others=True) == []
    assert await groups.dismiss(lambda member: member == "core-1-uuid") == ["core-1-uuid"]


async def test_a_member_that_kafka_does_not_let_go_is_told_and_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    admin = Leaving({"core": ("Stable", {"core-1-uuid": ASSIGNMENT, "core-2-uuid": b"", "core-3-uuid": ASSIGNMENT})})
    admin.error_codes["core-1-uuid"] = GroupAuthorizationFailedError.errno
    groups = Groups(admin, admin.members)
    gone = {"core-1-uuid", "core-2-uuid"}
    assert await groups.dismiss(gone.__contains__, only_beside_others=True) == ["core-2-uuid"]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "core-1-uuid" in warning
    assert "GroupAuthorizationFailedError" in warning
