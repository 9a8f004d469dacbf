"""How pytest-xdist spreads the tests on real servers, which mostly wait: some wait beside others that compute.

`--dist=loadgroup --no-loadscope-reorder` keeps a group in one process and starts groups in the order of ``ORDER``. A
file is a group; the end-to-end tests of the session's one system are a group together, as each process that uses the
system starts its own. ``GroupScheduling`` does the grouping itself: pytest-xdist 3.8 loses the groups with pytest 9.2
(https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

from __future__ import annotations

from pathlib import PurePath

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

SYSTEM, CONSOLE = "system", "e2e/console"
# the files of tests/e2e whose tests use the fixture of that name in its conftest.py
SYSTEM_FILES = {
    "test_another_log.py",
    "test_client.py",
    "test_client_files.py",
    "test_commands.py",
    "test_conversation_counts.py",
    "test_doctor.py",
    "test_keys.py",
    "test_one_conversation.py",
    "test_operators.py",
    "test_pipeline.py",
    "test_poison.py",
    "test_readme.py",
}
# the long groups first, so that no process is left with one in the end
ORDER = (
    SYSTEM,
    "e2e/test_chaos.py",
    "e2e/test_two_way.py",
    CONSOLE,
    "e2e/test_files_on_channels.py",
    "e2e/test_outages.py",
    "e2e/test_resumable_uploads.py",
    "e2e/test_bulkheads.py",
    "e2e/test_files_left_behind.py",
    "e2e/test_rounds.py",
    "e2e/test_failover.py",
    "e2e/test_file_memory.py",
    "e2e/test_file_faults.py",
    "integration/test_cassandra_outage.py",
    "e2e/test_contract_fuzz.py",
    "e2e/test_group_of_three.py",
    "integration/test_file_sweep_real.py",
    "integration/test_devstack.py",
    "integration/test_topics.py",
    "integration/test_cassandra_schema.py",
    "integration/test_cli_run.py",
    "integration/test_notifications_live.py",
    "integration/test_web_live.py",
    "integration/test_cassandra_files.py",
    "contract/test_message_history.py",
)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives whole groups to processes."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one, which pytest-xdist started first."""
    return hasattr(config, "workerinput")


def in_order(items: list[pytest.Item]) -> None:
    """Put the groups that take long first."""
    ranks = {group: rank for rank, group in enumerate(ORDER)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))


def group_of(nodeid: str) -> str:
    """Return the group of a test, such as "e2e/test_rounds.py"."""
    folder, name = PurePath(nodeid.partition("::")[0]).parts[-2:]
    if folder == "console":  # its files have one system
        return CONSOLE
    return SYSTEM if folder == "e2e" and name in SYSTEM_FILES else f"{folder}/{name}"
