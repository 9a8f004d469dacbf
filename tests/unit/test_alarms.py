"""loadtests/alarms: which faults there are, shorter rules, and what a run must show to be right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

from docker.observability.alerts import ALERTS, rules
from docker.observability.dashboards import DASHBOARDS, OVERVIEW
from loadtests.alarms.faults import BESIDE, LAST, NO_WORKER, ONE_AFTER_THE_OTHER
from loadtests.alarms.panels import Answer
from loadtests.alarms.pictures import pages
from loadtests.alarms.rare import ballast_environ
from loadtests.alarms.report import markdown, missing, verdict
from loadtests.alarms.runner import Outcome, line_of
from loadtests.alarms.scaled import scaled
from loadtests.ledger import Balance
from support.waiting import wait_until

BALANCED = Balance(3, 3, 0, 0, 12, 0, {})
RIGHT = Outcome("a fault", "Lag", 3.0, 1.0, 9.0)


def answers(empty: Set[str] = frozenset()) -> list[Answer]:
    return [
        Answer(dashboard, panel, {"one": [(0.0, 1.0), (2.0, 3.0)]}, ["up"] if panel.title in empty else [])
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
    ]


def test_every_alert_is_planted() -> None:
    planted = {name for fault in (*BESIDE, *ONE_AFTER_THE_OTHER, LAST) for name in fault.alerts}
    named = {f"{NO_WORKER} {alert.role}" if alert.role else alert.name for alert in ALERTS}
    assert planted == named


def test_windows_and_waits_become_shorter_and_thresholds_stay() -> None:
    made = scaled(rules(), 12, 6)["groups"][1]["rules"]
    by_name = {rule["alert"]: rule for rule in made}
    assert (by_name["Lag"]["for"], by_name["Lag"]["expr"]) == ("25000ms", "sum by (role) (chat4all_lag_records) > 5000")
    assert "[300000ms]) ) > 0" in by_name["ImpossibleTimes"]["expr"].replace("]))", "]) )")
    assert "offset 300000ms" in by_name["ImpossibleTimes"]["expr"]
    assert by_name["AccountPaused"]["for"] == "300000ms"


def test_no_window_is_shorter_than_two_scrapes() -> None:
    made = scaled(rules(), 1_000, 6)
    assert "[6000ms]" in str(made)
    assert "[600ms]" not in str(made)


def test_a_run_is_right_if_every_alert_came_and_went_alone() -> None:
    assert verdict([RIGHT], answers(), BALANCED, set())


def test_an_alert_that_does_not_resolve_or_brings_a_stranger_is_not_right() -> None:
    assert not verdict([Outcome("a fault", "Lag", 3.0, 1.0, None)], answers(), BALANCED, set())
    assert not verdict([Outcome("a fault", "Lag", 3.0, 1.0, 9.0, {"NoApi"})], answers(), BALANCED, set())
    assert "NOT resolved" in line_of(Outcome("a fault", "Lag", 3.0, 1.0, None))


def test_an_alert_without_a_cause_or_an_empty_panel_or_a_wrong_ledger_is_not_right() -> None:
    assert not verdict([RIGHT], answers(), BALANCED, {"Lag"})
    assert not verdict([RIGHT], answers({"Accepted"}), BALANCED, set())
    assert missing(answers({"Accepted"})) == ["System Overview: Accepted"]
    assert not verdict([RIGHT], answers(), Balance(3, 2, 0, 0, 9, 0, {"lost": ["m"]}), set())


def test_the_report_names_what_was_not_planted() -> None:
    text = markdown([RIGHT], answers(), BALANCED, set(), "python -m loadtests.alarms", 12)
    assert "| a fault | Lag | 3 | 1 | 9 | none |" in text


def test_each_dashboard_is_a_page_with_all_its_panels() -> None:
    made = pages(answers(), "a run")
    assert set(made) == {each.uid for each in DASHBOARDS}
    assert made[OVERVIEW.uid].count("<section>") == len(OVERVIEW.panels)
    assert "<script" not in "".join(made.values())


def test_a_process_takes_ballast_while_the_file_is_there(tmp_path: Path) -> None:
    environ = {**os.environ, **ballast_environ(tmp_path), "BALLAST_BYTES": "50000000"}
    code = "import sys; [print(open('/proc/self/statm').read().split()[1], flush=True) for _ in sys.stdin]"
    with subprocess.Popen([sys.executable, "-c", code], env=environ, text=True, stdin=-1, stdout=-1) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def mib() -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            return int(process.stdout.readline()) * 4_096 / 1_048_576

        usual = mib()
        (tmp_path / "ballast").touch()
        wait_until(lambda: mib() > usual + 40)
        (tmp_path / "ballast").unlink()
        wait_until(lambda: mib() < usual + 10)
        process.stdin.close()
