"""Hours of deliveries in simulated time: `PYTHONPATH=tests python -m support.days` lives through weeks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 120.0


def begun(*options: str) -> subprocess.Popen[str]:
    """Begin a history of half an hour or so, in a process of its own: it has a clock of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "support.days", "--days", "0.02", "--crashes", "400", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "tests"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code and the output of a history."""
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, output


def test_a_seed_is_the_whole_history() -> None:
    processes = [begun("--seed", "7"), begun("--seed", "7")]
    first, second = (ended(process) for process in processes)
    assert first[0] == 0, first[1]
    digests = [output.partition("digest ")[2][:16] for _, output in (first, second)]
    assert digests[0] == digests[1] != ""


def test_a_planted_defect_is_found() -> None:
    code, output = ended(begun("--seed", "1", "--defect", "unknown-is-sent-again"))
    assert code == 1, output
    assert "was taken 2 times" in output
