"""Six rebalance rounds by fixed seeds; `make rounds` runs as many as one likes (docs/rounds.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.rounds.plan import Plan
from loadtests.rounds.runner import Round
from loadtests.system import Servers

pytestmark = pytest.mark.real

SEEDS = {
    80: "kill -9, fresh group, RocksDB, table",
    62: "kill -9, established group, memory, no table, queues of two",
    63: "SIGTERM, established group, RocksDB, table, static members",
    55: "SIGTERM, fresh group, RocksDB, no table, queues of two",
    65: "churn, established group, memory, table",
    37: "SIGTERM, log truncated past the commit, memory, table",
}


@pytest.mark.parametrize("seed", SEEDS, ids=SEEDS.values())
async def test_a_round_loses_nothing_and_does_not_get_stuck(seed: int, stack: Servers, tmp_path: Path) -> None:
    result = await Round(Plan.from_seed(seed), stack.kafka_bootstrap, tmp_path).run()
    assert result.good, f"{result}: {result.lost[:5]} {result.local[:5]} {result.stuck} {result.early[:5]}"
