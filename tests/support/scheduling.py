"""How pytest-xdist spreads the tests: those on real servers mostly wait, so they run beside those that compute.

With `--dist=loadgroup --no-loadscope-reorder` a group stays in one process and groups start in the order of the list.
A file is a group; the end-to-end tests of the session's one system are a group together, as the system is one for each
process. The longest groups come first, so that no process is left with one in the end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

# seconds of the long ones on a quiet machine of two cores; an unnamed group is short
LONG_GROUPS = {
    "system": 200,
    "e2e/test_files_on_channels.py": 90,
    "e2e/test_rounds.py": 75,
    "e2e/test_outages.py": 70,
    "e2e/test_file_memory.py": 60,
    "e2e/test_file_faults.py": 50,
    "integration/test_cli_run.py": 45,
    "e2e/test_resumable_uploads.py": 45,
    "e2e/test_files_left_behind.py": 45,
    "e2e/test_failover.py": 40,
    "integration/test_devstack.py": 35,
    "e2e/test_bulkheads.py": 30,
    "e2e/test_contract_fuzz.py": 30,
    "integration/test_cassandra_outage.py": 30,
    "e2e/test_group_of_three.py": 25,
    "integration/test_notifications_live.py": 20,
    "integration/test_web_live.py": 20,
    "contract/test_message_history.py": 20,
}


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one, which pytest-xdist started first."""
    return hasattr(config, "workerinput")


def group(items: list[pytest.Item]) -> None:
    """Mark each test with its group, and put the groups that take long first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group_of(item)))
    items.sort(key=lambda item: (-LONG_GROUPS.get(_group_of(item), 0), item.get_closest_marker("real") is None))


def _group_of(item: pytest.Item) -> str:
    folder, name = Path(item.path).parts[-2:]
    uses_the_system = folder == "e2e" and "system" in getattr(item, "fixturenames", ())
    return "system" if uses_the_system else f"{folder}/{name}"
