"""Hours of deliveries in simulated time: `PYTHONPATH=tests python -m support.days` lives through weeks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 170.0
SHORT = ("--days", "0.02", "--crashes", "400")  # half an hour
EVENTFUL = ("--days", "0.5", "--crashes", "300")  # half a day, and a crash or a stop every four minutes


def begun(*options: str) -> subprocess.Popen[str]:
    """Begin a history in a process of its own: it has a clock of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "support.days", *options],
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
    processes = [begun(*SHORT, "--seed", "7"), begun(*SHORT, "--seed", "7")]
    first, second = (ended(process) for process in processes)
    assert first[0] == 0, first[1]
    digests = [output.partition("digest ")[2][:16] for _, output in (first, second)]
    assert digests[0] == digests[1] != ""


def test_a_planted_defect_is_found() -> None:
    code, output = ended(begun(*SHORT, "--seed", "1", "--seeds", "4", "--defect", "unknown-is-sent-again"))
    assert code == 1, output
    assert "was taken 2 times" in output


def test_a_fault_is_shown_by_a_smaller_history_and_step_by_step() -> None:
    code, output = ended(begun(*SHORT, "--seed", "1", "--seeds", "4", "--defect", "unknown-is-sent-again", "--shrink"))
    assert code == 1, output
    whole, small = (int(found) for found in re.findall(r"(\d+) messages", output)[-2:])
    assert small < whole, output
    again = re.findall(r"the smallest found: (.*): \d+ messages", output)[-1].split()
    digests = []
    for steps in ((), ("--steps",)):
        code, output = ended(begun(*again, "--defect", "unknown-is-sent-again", *steps))
        assert code == 1, output
        assert "was taken 2 times" in output
        digests.append(output.rpartition("digest ")[2][:16])
    assert digests[0] == digests[1]
    assert "whatsapp-outbound" in output


@pytest.mark.long
def test_every_planted_defect_is_found() -> None:
    """Order, repetition and loss: a simulation that misses one of them says nothing about the engine."""
    code, output = ended(begun(*EVENTFUL, "--each-defect", "--seeds", "24"))
    assert code == 0, output
    assert "12 of 12 defects found" in output
    for fault in ("was taken 2 times", "is lost: the API says", "no outcome of"):
        assert fault in output


@pytest.mark.long
def test_a_worker_that_ends_every_four_minutes_shows_nothing() -> None:
    code, output = ended(begun(*EVENTFUL, "--seed", "3"))
    assert code == 0, output
    assert int(output.partition(" crashes,")[0].rpartition(" ")[2]) > 50
