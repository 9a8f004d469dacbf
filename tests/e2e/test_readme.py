"""The README, word for word, by two users of one system, one after the other: every line works for both."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from loadtests.system import System

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a long passphrase"
SECONDS = 60.0
# the shell stops at the first line that fails, and says which it was
_PREAMBLE = """set -eo pipefail
trap 'echo "README line $LINENO failed: $BASH_COMMAND"' ERR
"""
_BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# (what the screen shows since the last answer, what is typed then): the password, and Ctrl-C once `tail` says that it
# is live, even if a notification follows at the same moment
_ANSWERS = ((re.compile(r"Password: $"), f"{PASSPHRASE}\n"), (re.compile(r"\d\d:\d\d:\d\d live\b"), "\x03"))


def lines_to_try() -> str:
    """Return the lines of the blocks of "Try it" without `make run`."""
    section = (ROOT / "README.md").read_text().partition("## Try it")[2].partition("\n## ")[0]
    blocks = [block for block in _BLOCK.findall(section) if block != "make run\n"]
    assert len(blocks) >= 5
    return "".join(blocks)


async def typed(script: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Run a script on a terminal of its own, and answer what it asks; return the exit code and the screen."""
    process_id, terminal = pty.fork()
    if process_id == 0:
        os.chdir(ROOT)
        os.execvpe("bash", ["bash", str(script)], environ)
    screen, answered, left = "", 0, list(_ANSWERS)
    try:
        while chunk := await asyncio.wait_for(asyncio.to_thread(_read, terminal), SECONDS):
            screen += chunk
            if left and left[0][0].search(screen, answered):
                os.write(terminal, left.pop(0)[1].encode())
                answered = len(screen)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process_id, signal.SIGKILL)  # what still runs there
        os.close(terminal)
        _, status = await asyncio.to_thread(os.waitpid, process_id, 0)
    return os.waitstatus_to_exitcode(status), screen


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65_536).decode(errors="replace")
    except OSError:  # the other end is closed
        return ""


async def test_every_line_of_the_readme_works_for_two_users_one_after_the_other(system: System, tmp_path: Path) -> None:
    api = f"{system.settings.host}:{system.settings.port}"
    script = tmp_path / "readme.sh"
    script.write_text(_PREAMBLE + lines_to_try().replace("localhost:8080", api))
    for user in ("first", "second"):
        environ = {
            **os.environ,
            "CHAT4ALL_URL": f"http://{api}",
            "XDG_CONFIG_HOME": str(tmp_path / user),
            "NO_COLOR": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        code, screen = await typed(script, environ)
        assert code == 0, f"{user}: {screen}"
        assert "urn:chat4all:problem" not in screen, f"{user}: {screen}"  # curl ends with 0 whatever the API answers
        assert screen.count("READ ") >= 3, f"{user}: {screen}"
