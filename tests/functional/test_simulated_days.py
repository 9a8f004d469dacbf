"""Hours of deliveries in simulated time: `PYTHONPATH=tests python -m support.days` lives through weeks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 120.0


def lived(*options: str) -> tuple[int, str]:
    """Return the exit code and the output of a history, in a process of its own: it has a clock of its own."""
    environ = {**os.environ, "PYTHONPATH": "tests"}
    done = subprocess.run(
        [sys.executable, "-m", "support.days", "--days", "0.05", "--crashes", "200", *options],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_seed_is_the_whole_history() -> None:
    first, second = lived("--seed", "7"), lived("--seed", "7")
    assert first[0] == 0, first[1]
    digests = [output.partition("digest ")[2][:16] for _, output in (first, second)]
    assert digests[0] == digests[1] != ""


def test_a_planted_defect_is_found() -> None:
    code, output = lived("--seed", "1", "--defect", "unknown-is-sent-again")
    assert code == 1, output
    assert "was taken 2 times" in output
