"""The live API keeps to its own description, whatever schemathesis thinks of: no 500, no undocumented answer."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtests.system import Servers, System, system_settings
from web.routes import ROUTES

pytestmark = pytest.mark.real

FUZZ_SECONDS = 25  # fuzzing and stateful tests are repeated until then
PATIENCE_SECONDS = 80
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)
PHASES = ("examples", "coverage", "fuzzing", "stateful")
# an honest 503 is an answer as described: a machine may be slow
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
# bytes of a file are bytes, whatever tus calls them
HOOKS = """
import schemathesis
from loadtests.system import Servers

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
"""
PASSWORD = "correct horse battery"


@pytest.fixture
async def api(stack: Servers, tmp_path: Path) -> AsyncIterator[System]:
    """One API process, no workers; nothing that is asked too often is refused."""
    settings = system_settings(
        stack,
        tmp_path,
        argon2_time_cost=1,
        argon2_memory_kib=64,
        rate_limit_user_per_second=0.0,
        login_failures_per_address_hour=0.0,
        cassandra_timeout_seconds=8.0,
    )
    async with System(settings, tmp_path, {}) as system:
        yield system


async def token_of_somebody(api: System) -> str:
    credentials = {"username": f"u{uuid.uuid4().hex[:12]}", "password": PASSWORD}
    assert (await api.client().ask("POST", "/users", credentials)).status == 201
    answer = await api.client().ask("POST", "/auth/login", credentials)
    return str(answer.json()["access_token"])


async def test_whatever_is_sent_is_answered_as_described(api: System, tmp_path: Path) -> None:
    address = f"http://{api.settings.host}:{api.settings.port}"
    report = tmp_path / "report.json"
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    (tmp_path / "fuzz_hooks.py").write_text(HOOKS)
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(config),
        "run",
        f"{address}/openapi.json",
        "--header",
        f"Authorization: Bearer {await token_of_somebody(api)}",
        "--checks",
        ",".join(CHECKS),
        "--phases",
        ",".join(PHASES),
        "--max-time",
        str(FUZZ_SECONDS),
        # Hypothesis in two threads trips over CPython 3.11: "AST constructor recursion depth mismatch"
        "--workers",
        "1",
        "--request-timeout",
        "20",
        "--report",
        "json",
        "--report-json-path",
        str(report),
    ]
    ran = await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=tmp_path,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "SCHEMATHESIS_HOOKS": "fuzz_hooks"},
    )
    assert ran.returncode == 0, f"{ran.stdout[-20_000:]}\n{ran.stderr[-5_000:]}"
    found = json.loads(report.read_text())
    assert found["operations"]["tested"] == len(ROUTES) - 1  # all but the description itself
    assert found["phases"]["examples"]["status"] == "success"  # the later ones may not be reached on a slow machine
    await api.ready()
