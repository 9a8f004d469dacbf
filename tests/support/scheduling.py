"""How pytest-xdist spreads the tests: those on real servers mostly wait, so they run beside those that compute.

With `--dist=loadgroup --no-loadscope-reorder` a group stays in one process and groups start in the order of the list.
A file is a group; the end-to-end tests of the session's one system are a group together, as the system is one for each
process. The longest groups come first, so that no process is left with one in the end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

# seconds of the long ones, measured with --durations=0 on two cores; what is not named is short
LONG_GROUPS: dict[str, int] = {}


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
