"""Members of consumer groups, as `chat4all run` sees them."""

from __future__ import annotations

from types import SimpleNamespace

from aiokafka.errors import GroupCoordinatorNotAvailableError

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
