"""The API's process ends by itself when it hangs, and says where it stands when it is asked."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

# the process with shorter bounds, and instead of the API what the test wants
PROCESS = """
import asyncio, time
from functools import partial
import web.server as server
from app.pulse import Pulse
from app.settings import Settings

async def run(settings, stop):
    print("running", flush=True)
    {code}

server.run, server.Pulse, server.STOP_SECONDS = run, partial(Pulse, hung_seconds={hung}, look_seconds=0.1), {stop}
server.main(Settings(log_format="json"))
"""


SUPERVISOR = """
import asyncio
from cli.supervisor import ShutdownSignals

async def main():
    signals = ShutdownSignals()
    print("running", flush=True)
    await signals.stop.wait()

asyncio.run(main())
"""


def started(code: str, hung: float = 60.0, stop: float = 60.0) -> subprocess.Popen[str]:
    return spawned(PROCESS.format(code=code, hung=hung, stop=stop))


def spawned(program: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


def test_an_api_whose_event_loop_does_not_turn_ends_and_leaves_its_stacks() -> None:
    process = started("time.sleep(60)", hung=1.0)
    _, stacks = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "in run" in stacks


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_api_that_does_not_come_to_its_end_in_time_is_ended_and_leaves_its_stacks(number: signal.Signals) -> None:
    process = started("await stop.wait(); await asyncio.sleep(60)", stop=0.5)
    began = time.monotonic()
    process.send_signal(number)
    _, stacks = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Timeout" in stacks
    assert time.monotonic() - began < 20


def test_an_api_that_stops_in_time_ends_well() -> None:
    process = started("await stop.wait()")
    process.send_signal(signal.SIGTERM)
    _, stacks = process.communicate(timeout=30)
    assert process.returncode == 0, stacks


def test_sigusr1_writes_the_stacks_of_threads_and_tasks_and_the_api_goes_on() -> None:
    process = started("asyncio.current_task().set_name('serving'); await stop.wait(); print('stopped', flush=True)")
    assert process.stderr is not None
    process.send_signal(signal.SIGUSR1)
    seen = ""
    while "Task serving" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "stopped\n")
    assert "most recent call first" in seen


def test_sigusr1_does_not_end_the_supervisor() -> None:
    process = spawned(SUPERVISOR)
    process.send_signal(signal.SIGUSR1)
    assert process.stderr is not None
    assert process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
