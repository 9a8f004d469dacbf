"""Shapes, schedules, figures and reports of the Locust runs."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from loadtests.ledger import Balance
from loadtests.locust.options import Options
from loadtests.locust.plots import MOST_POINTS, plot, thinned, ticks_to
from loadtests.locust.recorder import SEND, Recorder
from loadtests.locust.report import markdown, medians, page, write
from loadtests.locust.results import Results, to_end_ms
from loadtests.locust.samples import Samples, readings
from loadtests.locust.schedule import Schedule
from loadtests.locust.shapes import SHAPES, SPIKE_FACTOR, chosen, shape_named

EXPOSITION = """# HELP chat4all_lag_records Records not yet committed
# TYPE chat4all_lag_records gauge
chat4all_lag_records{role="core",topic="messages",partition="0"} 3
chat4all_lag_records{role="core",topic="messages",partition="1"} 4.0
process_resident_memory_bytes{process="api-2"} 1.048576e+08
chat4all_in_flight{role="core"} 2
a line that is none
"""


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_users_until_its_end_and_none_after_it(name: str) -> None:
    shape = shape_named(name, 20)
    assert shape.at(0.0) == shape.stages[0]
    assert shape.at(shape.seconds - 0.1) == shape.stages[-1]
    assert shape.at(shape.seconds) is None
    assert shape.most_users >= 20
    assert any(stage.is_measured for stage in shape.stages)


def test_a_spike_is_ten_times_the_load_for_a_third_of_the_time() -> None:
    before, during, after = [stage for stage in shape_named("spike", 20, 90.0).stages if stage.is_measured]
    assert during.users == SPIKE_FACTOR * before.users == SPIKE_FACTOR * after.users
    assert before.seconds == during.seconds == after.seconds == 30.0


def test_an_unknown_shape_is_told_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="baseline"):
        shape_named("spik", 20)


def test_tags_choose_journeys_and_none_chooses_all() -> None:
    journeys = ["text", "groups", "files"]
    assert chosen(journeys, []) == set(journeys)
    assert chosen(journeys, ["text"]) == {"text"}
    with pytest.raises(ValueError, match="txt"):
        chosen(journeys, ["txt"])


def test_a_late_turn_delays_no_due_time() -> None:
    schedule = Schedule(10.0, 2.0)
    assert [schedule.take(), schedule.take()] == [10.0, 12.0]
    assert schedule.seconds_left(now=13.5) == 0.5
    assert schedule.seconds_left(now=20.0) == 0.0
    assert schedule.take() == 14.0


def test_options_come_through_the_environment_as_they_are() -> None:
    options = Options(shape="spike", users=7, seconds=1.5, metrics="core-1=http://h:1/metrics,mirror-1=http://h:2/m")
    assert Options.from_environ(options.to_environ()) == options
    assert list(options.targets) == ["api", "core-1", "mirror-1"]


def test_twenty_users_send_as_many_messages_as_the_document_claims() -> None:
    options = Options(users=20, per_minute=753.0)
    assert 60.0 / options.every_seconds * 20 == pytest.approx(753.0)


def recorder() -> Recorder:
    made = Recorder(began=100.0)
    made.enter("steady", 100.0)
    for number in range(100):
        made.note(SEND, due=100.0, now=100.001 * 1 + number / 1000, error="status 500" if number == 7 else "")
    made.enter("steady", 110.0)
    return made


def test_latencies_count_from_the_scheduled_time() -> None:
    line = recorder().line("steady", SEND)
    assert line is not None
    assert (line.count, line.errors, line.per_second) == (100, 1, 10.0)
    assert line.percentiles_ms[0] == pytest.approx(50.0, rel=0.01)
    assert line.most_ms == pytest.approx(100.0, rel=0.01)


def test_the_last_seconds_tell_whether_a_limit_is_broken() -> None:
    answers, errors, p99_ms = recorder().recent(10, now=105.0)
    assert (answers, errors) == (100, 1)
    assert p99_ms == pytest.approx(99.0, rel=0.02)
    assert recorder().recent(2, now=109.0)[0] == 0


def test_samples_are_sums_and_memory_is_told_for_each_process() -> None:
    assert [reading.value for reading in readings(EXPOSITION)] == [3.0, 4.0, 104_857_600.0, 2.0]
    samples = Samples()
    samples.take(2.0, {"api": EXPOSITION, "mirror-1": "process_resident_memory_bytes 1048576\n"})
    assert samples.lag == [(2.0, 7.0)]
    assert samples.in_flight == [(2.0, 2.0)]
    assert dict(samples.memory_mib) == {"api-2": [(2.0, 100.0)], "mirror-1": [(2.0, 1.0)]}


def test_the_time_to_the_last_state_counts_from_the_acceptance() -> None:
    read = {"timestamp": 1_000, "read_at": "1970-01-01T00:00:03.500Z", "failed_at": None}
    is_open = {"timestamp": 1_000, "read_at": None, "failed_at": None}
    assert to_end_ms({"c": [read, is_open]}) == [2_500.0]


@pytest.mark.parametrize("highest", [0.0, 0.003, 1.0, 7.5, 99.0, 12_345.0])
def test_an_axis_reaches_the_highest_value_in_few_steps(highest: float) -> None:
    ticks = ticks_to(highest)
    assert ticks[0] == 0.0
    assert ticks[-1] >= highest
    assert 2 <= len(ticks) <= 8


def test_a_thinned_line_keeps_its_peak() -> None:
    points = [(float(n), 1.0 if n != 5_003 else 9.0) for n in range(10_000)]
    assert len(thinned(points)) <= MOST_POINTS
    assert (5_003.0, 9.0) in thinned(points)


def results(faults: dict[str, list[str]] | None = None) -> Results:
    notes = recorder()
    balance = Balance(100, 99, 1, 0, 400, 0, faults or {})
    return Results(
        "baseline",
        "20 users",
        "2026-11-28 12:00 UTC",
        "make load",
        "abc",
        "2 cores",
        "1 x API <b>",
        20,
        ["steady"],
        notes.lines(),
        dict(notes.errors),
        0,
        balance,
        to_end_ms=[1.0, 2.0],
        throughput=[(0.0, 1.0), (1.0, 2.0)],
        memory_mib={"core-1": [(0.0, 80.0), (1.0, 81.0)]},
    )


class Tags(HTMLParser):
    """Collects the tags of a page and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_a_report_has_its_command_its_figures_and_the_claim_beside_them() -> None:
    text = markdown(results())
    for part in ("make load", "abc", "2 cores", "| p95 of `POST /v1/messages`, ms | 2.39 |", "Ledger: balanced"):
        assert part in text


def test_a_page_is_one_file_with_plots() -> None:
    tags = Tags()
    tags.feed(page(results()))
    assert tags.tags.count("svg") == 2
    assert tags.links == []
    assert "script" not in tags.tags
    assert "<b>" not in page(results()), "settings are text"


def test_a_run_whose_ledger_does_not_balance_is_void(tmp_path: Path) -> None:
    files = write(results({"accepted and not in the log": ["m1"]}), str(tmp_path / "run"))
    assert [file.name for file in files] == ["run.md", "run.html"]
    for file in files:
        assert "VOID" in file.read_text()


def test_a_plot_of_nothing_says_so() -> None:
    assert "nothing was measured" in plot({"lag": []}, "records")


def test_memory_is_told_part_by_part_so_that_a_creep_is_seen() -> None:
    assert medians([float(n) for n in range(12)], 6) == [0.5, 2.5, 4.5, 6.5, 8.5, 10.5]
    assert medians([7.0], 6) == [7.0] * 6
