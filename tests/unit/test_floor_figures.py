"""The arithmetic of ``python -m loadtests.floor``."""

from __future__ import annotations

import math
from types import SimpleNamespace

import orjson
import pytest

from app.kafka.topics import Topics
from loadtests.floor.figures import Spread, Subject, markdown, times, verdicts
from loadtests.floor.pipeline import Role
from loadtests.generator import Shots
from loadtests.http_client import NO_ANSWER, Answer


def subject(name: str, p99_at_100: float, per_second: float = 2_000.0) -> Subject:
    rates = {100.0: Spread(2.0, p99_at_100, 100.0, 0), 500.0: Spread(2.0, 3 * p99_at_100, 500.0, 0)}
    return Subject(name, rates, {64: Spread(10.0, 20.0, per_second, 0)})


def test_a_spread_counts_from_when_a_request_was_due_and_names_the_refusals() -> None:
    shots = Shots([b""] * 4)
    shots.due = [0.0, 1.0, 2.0, 3.0]
    shots.answered = [0.001, 1.002, 2.003, 3.5]
    shots.answers = [Answer(202, b""), Answer(503, b""), NO_ANSWER, Answer(202, b"")]
    spread = Spread.of(shots)
    assert (round(spread.p50_ms, 6), round(spread.p99_ms, 6)) == (2.0, 500.0)
    assert spread.per_second == pytest.approx(4 / 3.5)
    assert spread.refused == 2


def test_a_multiple_of_nothing_is_no_number() -> None:
    assert times(3.0, 2.0) == 1.5
    assert math.isnan(times(3.0, 0.0))


@pytest.mark.parametrize(("p99_ms", "is_met"), [(5.0, True), (5.01, False)])
def test_the_goal_at_100_a_second_is_a_multiple_of_the_same_sittings_floor(p99_ms: float, is_met: bool) -> None:
    first = verdicts(subject("bare", 4.0), subject("ours", p99_ms))[0]
    assert first.is_met is is_met
    assert "times 4.0 ms" in first.measured


def test_the_other_goals_are_absolute() -> None:
    _, at_500, on_64 = verdicts(subject("bare", 4.0), subject("ours", 3.0, 3_000.0))
    assert (at_500.measured, at_500.is_met) == ("9.0 ms", True)
    assert (on_64.measured, on_64.is_met) == ("3,000/s", True)
    assert not verdicts(subject("bare", 4.0), subject("ours", 3.4, 2_999.0))[1].is_met
    assert not verdicts(subject("bare", 4.0), subject("ours", 3.4, 2_999.0))[2].is_met


@pytest.mark.parametrize(
    ("new", "is_met"),
    [(Spread(3.0, 6.0, 100.0, 0), True), (Spread(3.1, 6.0, 100.0, 0), False), (Spread(3.0, 6.1, 100.0, 0), False)],
)
def test_a_first_message_is_compared_with_known_ones_at_its_rate_in_both_percentiles(new: Spread, is_met: bool) -> None:
    ours = subject("ours", 4.0)
    ours.new, ours.new_rate = new, 100.0
    assert verdicts(Subject("bare"), ours)[-1].is_met is is_met


def test_a_goal_without_its_measurement_has_no_verdict() -> None:
    assert verdicts(Subject("bare"), Subject("ours")) == []


def test_the_tables_show_each_figure_as_a_multiple_of_the_limit() -> None:
    bare, ours = subject("bare", 4.0), subject("ours", 6.0, 1_000.0)
    ours.to_the_end, ours.cpu_ms = 900.0, {"api": 0.3, "core": 0.2}
    shown = markdown([bare, ours], verdicts(bare, ours))
    cells = {
        line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in shown.splitlines() if line
    }
    assert cells["accept p99 at 100/s, ms"] == ["4.0", "6.0 (1.50×)"]
    assert cells["accepted/s on 64 connections"] == ["2,000", "1,000 (0.50×)"]
    assert cells["accepted and READ, /s"] == ["–", "900"]  # what the first does not do is no limit
    assert cells["CPU a message, ms: core"] == ["–", "0.200"]
    assert cells["CPU a message, ms: everything"] == ["–", "0.50"]
    assert shown.count("NOT MET") == 3


def test_the_bare_pipeline_brings_a_message_to_read() -> None:
    topics = Topics("t-")
    core, channel = Role("core", topics), Role("whatsapp", topics)
    message = {"message_id": "m", "conversation_id": "c", "recipient_id": "whatsapp:+55", "content": "hi"}
    record = SimpleNamespace(value=orjson.dumps(message), timestamp=7, offset=3)
    accepted, request = core.outputs("t-messages", record)
    assert (accepted.topic, orjson.loads(accepted.value)["status"]) == ("t-status-updates", "ACCEPTED")
    assert request.topic == "t-whatsapp-outbound"
    facts = list(channel.outputs(request.topic, SimpleNamespace(value=request.value, timestamp=8, offset=0)))
    assert [(f.topic, orjson.loads(f.value)["status"]) for f in facts] == [
        ("t-status-updates", word) for word in ("SENT", "DELIVERED", "READ")
    ]
    assert {(orjson.loads(f.value)["accepted_at_ms"], orjson.loads(f.value)["position"]) for f in facts} == {(7, 3)}
    for n, fact in enumerate(facts):
        assert list(core.outputs(fact.topic, SimpleNamespace(value=fact.value, timestamp=9, offset=n))) == []
        assert core.states == ({"m": orjson.loads(fact.value)["status"]} if n < 2 else {})
