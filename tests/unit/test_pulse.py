"""A process that hangs ends by itself: one whose loop does not turn, and one that does not come to its end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from app.pulse import Pulse
from support.waiting import stays, until

# a process whose main loop turns, until the given code runs on it
PROCESS = """
import asyncio, time, threading
from app.pulse import Pulse

async def main():
    pulse = Pulse(hung_seconds=1.0, look_seconds=0.1)
    pulse.watch("the main thread", asyncio.get_running_loop())
    await asyncio.sleep(1.2)  # turning for longer than the limit is no hang
    print("still here", flush=True)
    {code}

asyncio.run(main())
"""


def ended(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROCESS.format(code=code)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("time.sleep(60)", id="a call that blocks"),
        pytest.param("exec('while True: pass')", id="a loop in Python"),
        pytest.param("__import__('ctypes').PyDLL(None).sleep(60)", id="a call that keeps the interpreter's lock"),
    ],
)
def test_a_process_whose_event_loop_does_not_turn_ends_and_leaves_its_stacks(code: str) -> None:
    began = time.monotonic()
    process = ended(code)
    assert process.stdout == "still here\n"
    assert process.returncode == 1
    assert "in main" in process.stderr
    assert time.monotonic() - began < 30


def test_a_process_that_does_not_come_to_its_end_in_time_is_ended_and_leaves_its_stacks() -> None:
    process = ended("pulse.stop(0.5); await asyncio.sleep(60)")
    assert process.returncode == 1
    assert "Timeout" in process.stderr


def test_a_process_that_ends_in_time_ends_well() -> None:
    process = ended("pulse.stop(30)")
    assert process.returncode == 0, process.stderr


async def test_another_threads_loop_is_watched_as_well() -> None:
    set_at: list[float] = []
    pulse = Pulse(hung_seconds=5, look_seconds=0.01, end_after=lambda seconds: set_at.append(time.monotonic()))
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever, daemon=True)
    thread.start()
    pulse.watch("main", asyncio.get_running_loop())
    pulse.watch("other", other)
    await until(lambda: len(set_at) > 3)

    held = threading.Event()
    other.call_soon_threadsafe(held.wait)
    await until(lambda: time.monotonic() - set_at[-1] > 0.1)
    count = len(set_at)
    await stays(lambda: len(set_at) == count, 0.2)  # the timer runs while a loop is silent

    held.set()
    await until(lambda: len(set_at) > count)
    pulse.stop(1)
    other.call_soon_threadsafe(other.stop)
    thread.join(5)
