"""The supervisor over tiny children: restarts, order of stop, and nobody left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cli import die_with_parent
from cli.supervisor import BackoffPolicy, ProcessSpec, Supervised, Supervisor
from support.waiting import stays, until

QUICK = BackoffPolicy(first_pause_seconds=0.05, longest_pause_seconds=0.2, healthy_seconds=60.0, stop_seconds=5.0)
SLEEP = "import time; time.sleep(300)"
LIMIT_SECONDS = 20.0


def child(name: str, code: str, tmp_path: Path, *, stage: int = 0) -> ProcessSpec:
    """A process of a line of Python, whose output goes to a file of its name."""
    return ProcessSpec(name, (sys.executable, "-c", code), {"NAME": name}, tmp_path / f"{name}.log", stage)


def noting(what: str, log: Path) -> str:
    """Code that writes a line to ``log`` when it is told to stop, and then stops."""
    return (
        "import signal, sys, time\n"
        f"def stop(*_): open({str(log)!r}, 'a').write({what + chr(10)!r}); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('ready', flush=True)\ntime.sleep(300)"
    )


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def says(spec: ProcessSpec, text: str) -> bool:
    """Whether the process has printed ``text``."""
    return spec.output is not None and spec.output.exists() and text in spec.output.read_text()


@pytest.mark.parametrize(
    ("short_lives", "seconds"), [(1, 0.0), (2, 0.5), (3, 1.0), (4, 2.0), (7, 16.0), (8, 30.0), (9999, 30.0)]
)
def test_the_first_restart_is_at_once_and_then_the_pause_doubles_up_to_its_bound(
    short_lives: int, seconds: float
) -> None:
    assert BackoffPolicy().pause_seconds(short_lives) == seconds


async def test_what_ends_is_started_again_at_once_and_then_after_a_growing_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    spec = child("fragile", "raise SystemExit(70)", tmp_path)
    supervisor = Supervisor([spec], QUICK)
    supervisor.start()
    await until(lambda: supervisor.processes[0].starts >= 4)
    await supervisor.stop()
    pauses = [line.rpartition(" in ")[2] for line in caplog.messages if "next start" in line]
    assert pauses[:4] == ["0 s", "0.05 s", "0.1 s", "0.2 s"][: len(pauses)]
    assert "fragile (pid " in caplog.text
    assert "ended with exit code 70" in caplog.text


async def test_after_a_long_life_the_restart_is_at_once_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = child("steady", "import time; time.sleep(0.3); raise SystemExit(1)", tmp_path)
    supervisor = Supervisor([spec], BackoffPolicy(0.05, 10.0, healthy_seconds=0.2))
    supervisor.start()
    await until(lambda: supervisor.processes[0].starts >= 4)
    await supervisor.stop()
    assert {line.rpartition(" in ")[2] for line in caplog.messages if "next start" in line} == {"0 s"}


async def test_a_signal_is_told_by_its_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor([child("victim", SLEEP, tmp_path)], QUICK)
    supervisor.start()
    victim = supervisor.processes[0]
    await until(lambda: victim.pid)
    victim.send(signal.SIGKILL)
    await until(lambda: victim.starts == 2 and victim.pid)
    await supervisor.stop()
    assert "was ended by SIGKILL" in caplog.text


async def test_a_crash_loop_of_one_leaves_the_other_untouched(tmp_path: Path) -> None:
    supervisor = Supervisor([child("broken", "1/0", tmp_path), child("sound", SLEEP, tmp_path)], QUICK)
    supervisor.start()
    broken, sound = supervisor.processes
    await until(lambda: broken.starts >= 4)
    pid = sound.pid
    assert pid is not None
    assert sound.starts == 1
    await supervisor.stop()
    assert not is_alive(pid)


async def test_a_program_that_is_not_there_is_tried_again_and_disturbs_nobody(tmp_path: Path) -> None:
    missing = ProcessSpec("missing", ("/nowhere/at-all",), {}, tmp_path / "missing.log")
    supervisor = Supervisor([missing, child("sound", SLEEP, tmp_path)], QUICK)
    supervisor.start()
    await until(lambda: supervisor.processes[0].starts >= 2)
    assert supervisor.processes[1].starts == 1
    await supervisor.stop()
    assert says(missing, "cannot run /nowhere/at-all: No such file or directory")


async def test_the_highest_stage_has_stopped_before_the_next_one_is_asked_to(tmp_path: Path) -> None:
    order = tmp_path / "order"
    slow = f"import time\n{noting('worker', order)}".replace("sys.exit(0)", "time.sleep(0.3); sys.exit(0)")
    specs = [child("api", noting("api", order), tmp_path), child("worker", slow, tmp_path, stage=1)]
    supervisor = Supervisor(specs, QUICK)
    supervisor.start()
    await until(lambda: all(says(spec, "ready") for spec in specs))
    await supervisor.stop()
    assert order.read_text().split() == ["worker", "api"]
    assert all(process.pid is None for process in supervisor.processes)


async def test_who_ignores_sigterm_is_killed_when_the_time_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deaf = child(
        "deaf", f"import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); {SLEEP}", tmp_path
    )
    supervisor = Supervisor([deaf], BackoffPolicy(stop_seconds=0.2))
    supervisor.start()
    await until(lambda: says(deaf, "ready"))
    await supervisor.stop()
    assert "did not stop in 0.2 s and is killed" in caplog.text


async def test_stop_ends_a_process_that_waits_for_its_next_start(tmp_path: Path) -> None:
    supervisor = Supervisor([child("broken", "1/0", tmp_path)], BackoffPolicy(first_pause_seconds=300))
    supervisor.start()
    broken: Supervised = supervisor.processes[0]
    await until(lambda: broken.starts == 2 and broken.pid is None and says(broken.spec, "ZeroDivisionError"))
    async with asyncio.timeout(5):
        await supervisor.stop()
    assert broken.starts == 2


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from cli.supervisor import ProcessSpec, supervise
specs = [ProcessSpec(f"child-{n}", (sys.executable, "-c", sys.argv[2]), {}, Path(sys.argv[1]) / f"{n}") for n in (1, 2)]
asyncio.run(supervise(specs))
"""
SAY_PID = "import os, time; print(os.getpid(), flush=True); time.sleep(300)"


def start_python(*arguments: str) -> subprocess.Popen[bytes]:
    """Start an interpreter."""
    return subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE)


async def supervisor_with_two(tmp_path: Path, code: str = SAY_PID) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A supervisor in a process of its own, and the pids of its children."""
    process = start_python(SUPERVISOR, str(tmp_path), code)
    files = [tmp_path / "1", tmp_path / "2"]
    await until(lambda: all(file.exists() and file.read_text().endswith("\n") for file in files))
    return process, [int(file.read_text().split()[0]) for file in files]


async def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    process, pids = await supervisor_with_two(tmp_path)
    assert all(is_alive(pid) for pid in pids)
    process.kill()
    process.wait()
    await until(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_supervisor_and_its_children_in_order(tmp_path: Path, number: int) -> None:
    process, pids = await supervisor_with_two(tmp_path)
    process.send_signal(number)
    assert await asyncio.to_thread(process.wait, LIMIT_SECONDS) == 0
    assert not any(is_alive(pid) for pid in pids)


async def test_a_second_signal_kills_what_does_not_stop(tmp_path: Path) -> None:
    process, pids = await supervisor_with_two(tmp_path, f"import signal; signal.signal(15, signal.SIG_IGN); {SAY_PID}")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    await stays(lambda: all(is_alive(pid) for pid in pids), 1.2)  # two signals within a second are one wish
    process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(process.wait, LIMIT_SECONDS) == 0
    assert time.monotonic() - began < 10
    assert not any(is_alive(pid) for pid in pids)


async def test_a_child_is_not_in_the_process_group_that_a_terminal_interrupts(tmp_path: Path) -> None:
    process, pids = await supervisor_with_two(tmp_path)
    assert {os.getpgid(pid) for pid in pids} == set(pids)
    process.terminate()
    await asyncio.to_thread(process.wait, LIMIT_SECONDS)


async def test_children_share_their_supervisors_session_in_which_niceness_counts(tmp_path: Path) -> None:
    process, pids = await supervisor_with_two(tmp_path)
    assert {os.getsid(pid) for pid in pids} == {os.getsid(process.pid)}
    process.terminate()
    await asyncio.to_thread(process.wait, LIMIT_SECONDS)


async def test_where_the_system_offers_nothing_a_watcher_ends_the_child(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom cli import die_with_parent\ndie_with_parent.watch_parent(os.getppid())\n"
        f"os.execv(sys.executable, [sys.executable, '-c', {SAY_PID!r}])"
    )
    middle = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]).wait()"
    process = start_python(middle, code)
    assert process.stdout is not None
    pid = int(await asyncio.to_thread(process.stdout.readline))
    process.kill()
    process.wait()
    await until(lambda: not is_alive(pid))


def test_a_parent_that_is_gone_already_leaves_no_child(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = [sys.executable, die_with_parent.__file__, "1", sys.executable, "-c", f"open({str(mark)!r}, 'w')"]
    assert subprocess.run(command, check=False).returncode == die_with_parent.NOT_STARTED
    assert not mark.exists()


async def test_the_end_of_a_process_is_told_and_its_stop_is_not(tmp_path: Path) -> None:
    ended: list[str] = []
    specs = [child("fragile", "raise SystemExit(70)", tmp_path), child("sound", SLEEP, tmp_path)]

    async def note(spec: ProcessSpec) -> None:
        ended.append(spec.name)

    supervisor = Supervisor(specs, QUICK, note)
    supervisor.start()
    await until(lambda: supervisor.processes[0].starts >= 3)
    await supervisor.stop()
    assert set(ended) == {"fragile"}
    assert len(ended) >= 2


async def test_a_successor_starts_after_what_its_predecessor_leaves_is_cleared_away(tmp_path: Path) -> None:
    """Else a slow answer of Kafka lets the supervisor take the successor out of its group: it has the same name."""
    is_cleared = asyncio.Event()

    async def clear(spec: ProcessSpec) -> None:
        await is_cleared.wait()
        raise RuntimeError("an error there ends no supervision")

    supervisor = Supervisor([child("fragile", "raise SystemExit(70)", tmp_path)], QUICK, clear)
    (process,) = supervisor.processes
    supervisor.start()
    await until(lambda: process.starts == 1 and process.pid is None)
    await stays(lambda: process.starts == 1)
    is_cleared.set()
    await until(lambda: process.starts >= 3)
    await supervisor.stop()
