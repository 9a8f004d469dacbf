"""The matrix as data: its rows, its signals and its page."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.fault_points import POINTS, VARIABLE
from app.settings import Settings
from docker.observability.alerts import ALERTS
from loadtests.faults.__main__ import chosen, options
from loadtests.faults.acts import all_kills
from loadtests.faults.kept import KeptSystem
from loadtests.faults.matrix import MATRIX
from loadtests.faults.printed import found_in
from loadtests.faults.report import document
from loadtests.faults.row import Found
from loadtests.faults.signals import Signals
from loadtests.metric_pages import series_of, total


def test_each_point_of_each_role_is_a_row() -> None:
    names = {row.name for row in MATRIX}
    assert {f"{role} killed: {point}" for role, point in all_kills()} <= names
    assert {point for _, point in all_kills()} | {"upload-part", "upload-whole"} == set(POINTS)


def test_names_are_unique() -> None:
    assert len({row.name for row in MATRIX}) == len(MATRIX)


def test_expected_alerts_exist() -> None:
    assert {alert for row in MATRIX for alert in row.expects} <= {alert.name for alert in ALERTS}


def test_the_short_form_has_a_handful_of_rows() -> None:
    assert 3 <= len(chosen(options(["--short"]))) <= 6
    assert [row.name for row in chosen(options(["--rows", "disk full"]))] == ["disk full"]


def test_the_page_says_so_when_a_row_fails() -> None:
    good, bad = Found(MATRIX[0], accepted=10), Found(MATRIX[1], accepted=5, lost=1, faults=["one | is lost"])
    page = document([good, bad], ["another"], seed=7, seconds=90)
    assert "**1 of 2 rows are BAD**" in page
    assert f"* *{MATRIX[1].name}*: one | is lost" in page
    assert "no time left for 1 rows: another" in page
    assert "15 messages accepted, 1 lost" in page
    assert re.search(r"^\| ok \|", page, re.M)
    assert re.search(r"^\| BAD \|", page, re.M)
    assert "all rows are good" in document([good], [], seed=7, seconds=90)


def test_results_are_read_from_the_lines_that_a_run_printed() -> None:
    good = Found(MATRIX[0], accepted=10, held=3, still_seconds=1.5, audit="clean", signals={"Lag": "", "NoApi": ""})
    bad = Found(MATRIX[1], accepted=5, lost=1, audit="clean", remark="slow", faults=["something is lost"])
    again = found_in(f"{good}\nTraceback\n{bad}".splitlines())
    assert [str(each) for each in again] == [str(good), str(bad)]


PAGE = """# HELP chat4all_lag_records Records
chat4all_lag_records{role="core",topic="messages",partition="0"} 150
chat4all_lag_records{role="core",topic="messages",partition="1"} 151.0
process_start_time_seconds{role="core"} 5
"""


def test_series_are_summed_by_name_and_label() -> None:
    sample = series_of(PAGE)
    assert total(sample, "chat4all_lag_records") == 301
    assert total(sample, "chat4all_lag_records", 'partition="1"') == 151
    assert total(sample, "chat4all_lag") == 0


def _signals() -> Any:
    return cast(Any, Signals(cast(Any, SimpleNamespace())))


def test_a_worker_that_does_not_answer_is_seen() -> None:
    signals = _signals()
    signals._workers({"core-1": series_of(PAGE), "core-2": None})
    assert set(signals.words()) == {"Lag", "ProcessDown"}
    signals._workers({"core-1": None, "core-2": None})
    assert "RoleWithoutWorker" in signals.words()


@pytest.mark.parametrize(("start", "seen"), [(5, {"DeadLetters"}), (6, {"Restarts"})])
def test_counters_count_within_one_life_of_a_process(start: int, seen: set[str]) -> None:
    signals = _signals()
    page = "process_start_time_seconds {start}\nchat4all_dead_letters_total {dead}\n"
    signals._workers({"core-1": series_of(page.format(start=5, dead=1))})
    signals._workers({"core-1": series_of(page.format(start=start, dead=3))})
    assert set(signals.words()) == seen


async def test_a_fault_of_a_successor_ends_no_other_worker_of_its_role(tmp_path: Path) -> None:
    """A survivor that takes over reaches `recovered` too, and on a busy machine it does so first."""
    system = KeptSystem(Settings(data_dir=str(tmp_path)), tmp_path, {"whatsapp": 2}, tmp_path / "faults")
    first, second = system.process("whatsapp-1"), system.process("whatsapp-2")
    file = system.arm_successor("whatsapp-1", "recovered")
    armed = Path(first.spec.environ[VARIABLE])
    assert file == armed / "whatsapp.recovered"
    assert file.exists()
    assert Path(second.spec.environ[VARIABLE]) != armed
    assert not (Path(second.spec.environ[VARIABLE]) / "whatsapp.recovered").exists()
    began_meanwhile = Path(system.process("whatsapp-1").spec.environ[VARIABLE])
    system.disarm_successor("whatsapp-1")
    system.arm("whatsapp", "consumed")
    assert (began_meanwhile / "whatsapp.consumed").exists(), "a process that began before the end of it is armed, too"
    assert first.spec.environ[VARIABLE] == second.spec.environ[VARIABLE]
