"""`chat4all doctor` on a whole system: what is missing is found by its name, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from loadtests.system import System


def test_the_role_without_a_worker_is_found_and_the_rest_is_well(system: System) -> None:
    settings = system.settings
    url = f"http://{settings.host}:{settings.port}"
    done = subprocess.run(
        [sys.executable, "-m", "chat4all", "doctor", url, "--json"],
        env={**os.environ, **settings.to_environ()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = json.loads(done.stdout)
    without = [(finding["name"], finding["detail"]) for finding in found]
    assert without == [("role-without-worker", "nobody works for instagram")], done.stderr
    assert done.returncode == 1
