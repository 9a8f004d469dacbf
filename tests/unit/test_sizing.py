"""The model of sizes: more messages never need less, and it says where the design stops."""

from __future__ import annotations

import tomllib
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import Settings
from loadtests.sizing import COPIES, FILE, LEAST, LOAD, records_of_a_message, rows, size_of

DATA = tomllib.loads(FILE.read_text())
RATES = st.floats(1, 1e7)


@given(RATES, RATES)
def test_more_messages_never_need_less(one: float, other: float) -> None:
    less, more = (size_of(rate, DATA, Settings()) for rate in sorted((one, other)))
    for before, after in zip(astuple(less), astuple(more), strict=True):
        assert after is None or (before is not None and before <= after)


def test_a_small_system_has_two_of_each_and_three_copies() -> None:
    size = size_of(1, DATA, Settings())
    assert (size.core, size.mirror, size.channel, size.api) == (LEAST,) * 4
    assert (size.brokers, size.nodes, size.partitions) == (COPIES, COPIES, 6)


def test_the_design_stops_where_an_api_process_is_busy_with_following() -> None:
    million = size_of(1_000_000, DATA, Settings())
    assert million.api is not None
    assert size_of(600_000, DATA, Settings()).api < million.api  # type: ignore[operator]
    most = 60_001 * LOAD / DATA["cpu"]["follow"]["nobody"]
    assert size_of(most, DATA, Settings()).api is None
    assert "no number suffices" in "\n".join(rows({most: size_of(most, DATA, Settings())}))


@pytest.mark.parametrize("table", DATA["cpu"].values(), ids=list(DATA["cpu"]))
def test_every_measurement_says_where_it_comes_from(table: dict[str, object]) -> None:
    assert {"about", "command", "commit", "day"} <= set(table)


def test_a_message_writes_to_every_kind_of_topic() -> None:
    written = records_of_a_message()
    assert min(written.values()) > 100
    assert written["messages"] > 200
