"""Chaos, shortened: the worst provider, with disturbances. `python -m loadtests.chaos` is the whole.

`make test` plays one run with a disturbance of each kind; `make test-long` adds a run for each of the kinds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.chaos.plan import Plan
from loadtests.chaos.runner import run
from loadtests.system import Servers

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def short(seed: int, **acts: int) -> Plan:
    """Three messages a conversation, and waits that are as short as the provider's slowness allows."""
    return Plan(
        seed=seed,
        messages=300,
        conversations=100,
        per_second=20.0,
        evidence_seconds=4.0,
        limit_seconds=100.0,
        **{"kills": 0, "freezes": 0, "joins": 0, **acts},  # type: ignore[arg-type]  # mypy sees the floats
    )


LONG = {"two kills": short(101, kills=2), "a freeze": short(102, freezes=1), "a third worker": short(103, joins=1)}
PLANS = [
    pytest.param(short(104, kills=1, freezes=1, joins=1), id="one of each"),
    *(pytest.param(plan, id=name, marks=pytest.mark.long) for name, plan in LONG.items()),
]


@pytest.mark.parametrize("plan", PLANS)
async def test_nothing_is_lost_doubled_or_out_of_order(plan: Plan, stack: Servers, tmp_path: Path) -> None:
    result = await run(plan, stack, tmp_path)
    print(result)
    assert result.is_good, str(result)
