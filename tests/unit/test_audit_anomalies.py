"""Anomalies of produce and poll logs, by Jepsen's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.audit_anomalies import anomalies
from loadtests.rounds.journal import log_lines


def ok(offset: int, value: str = "", at: int = 0) -> dict[str, Any]:
    return {"op": "ok", "partition": "p", "offset": offset, "value": value or f"v{offset}", "at": at}


def poll(offset: int, value: str = "", at: int = 1, consumer: str = "w") -> dict[str, Any]:
    return {**ok(offset, value, at), "op": "poll", "consumer": consumer}


ASSIGN = {"op": "assign", "consumer": "w"}


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([ok(0), ok(1), poll(0), poll(1)], []),
        ([ok(0), ok(1), ok(2), poll(0), ASSIGN, poll(2)], ["lost-write"]),
        ([ok(0), ok(1), poll(0)], ["unseen"]),
        ([ok(0, "a"), ok(1, "a"), poll(0, "a"), poll(1, "a")], ["duplicate"]),
        ([ok(0, "a"), poll(0, "b")], ["inconsistent-offsets"]),
        ([ok(0), ok(1), ok(2), poll(0), poll(2), poll(1, consumer="v")], ["poll-skip"]),
        ([ok(0), ok(1), poll(0), poll(1), poll(0)], ["nonmonotonic-poll"]),
        ([ok(0), ok(1), poll(0), poll(1), ASSIGN, poll(0)], []),  # after a rebalance it may read again
        ([ok(0), poll(0), ok(5), poll(5)], []),  # offsets without a record: compacted, or a transaction's mark
        ([ok(0, at=0), poll(0, at=20_000)], ["realtime-lag"]),
    ],
)
def test_each_anomaly_has_its_name(lines: list[dict[str, Any]], names: list[str]) -> None:
    found = anomalies(lines)
    assert sorted(found.counts) == names
    assert found.is_clean == (not names)
    assert all(name in str(found) for name in names)


def test_the_worst_lag_is_told_also_if_it_is_short() -> None:
    assert anomalies([ok(0, at=5), poll(0, at=905)]).worst_lag_ms == 900


def test_examples_are_bounded() -> None:
    found = anomalies([ok(n) for n in range(50)])
    assert found.counts["unseen"] == 50
    assert len(found.examples["unseen"]) == 10


def test_the_journals_of_a_round_are_such_a_log(tmp_path: Path) -> None:
    one, other = tmp_path / "w-1", tmp_path / "w-2"
    one.write_text("1.0 S\n1.1 D 0 5 8\n1.2 C 0 5 8\n1.3 D 0 9 10\n1.4 D 0 8 9\n")
    other.write_text("2.0 S\n2.1 D 0 5 7\n2.2 M 0 7\n")
    found = anomalies(log_lines([one, other], {0: 5}, {0: 12}))
    assert found.counts == {"unseen": 2, "nonmonotonic-poll": 1, "poll-skip": 1}
