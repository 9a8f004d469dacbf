"""Prometheus' own tools judge docker/observability: each rule has its value, or fires, resolves and stays quiet."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from docker.observability.alerts import ALERTS
from docker.observability.recordings import RECORDINGS

FOLDER = Path(__file__).parents[2] / "docker" / "observability"
PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}
SECONDS = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the files, to be changed."""
    for path in FOLDER.glob("*.yml"):
        shutil.copy(path, tmp_path)
    return tmp_path


def ask(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools; without it the test is skipped, with the name of its package."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; on Debian: apt-get install {PACKAGES[program]}")
    command = [program, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_every_rule_has_its_value_or_fires_and_is_resolved(folder: Path) -> None:
    done = ask(folder, "promtool", "test", "rules", "rules_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_does_not_do_what_it_should_is_noticed(folder: Path) -> None:
    rules, trials = folder / "rules.yml", folder / "rules_test.yml"
    rules.write_text(rules.read_text().replace("(chat4all_lag_records) > 5000", "(chat4all_lag_records) > 50"))
    document = yaml.safe_load(trials.read_text())
    document["tests"] = [each for each in document["tests"] if each["name"].startswith("Lag ")]
    trials.write_text(yaml.safe_dump(document))
    done = ask(folder, "promtool", "test", "rules", "rules_test.yml")
    assert done.returncode != 0
    assert "Lag is quiet" in done.stdout + done.stderr


def test_all_rules_are_read(folder: Path) -> None:
    done = ask(folder, "promtool", "check", "rules", "rules.yml")
    assert f"{len(ALERTS) + len(RECORDINGS)} rules found" in done.stdout, done.stdout + done.stderr


def test_prometheus_understands_its_file(folder: Path) -> None:
    done = ask(folder, "promtool", "check", "config", "--syntax-only", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_understands_its_file(folder: Path) -> None:
    done = ask(folder, "amtool", "check-config", "alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr
