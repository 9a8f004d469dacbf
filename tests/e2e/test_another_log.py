"""A new Kafka, or a new topic prefix, beside the histories of another one: refused before a message is accepted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import replace

from app.settings import Settings
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.system import System


def chat4all(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chat4all", *words],
        env={**os.environ, **settings.to_environ()},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


async def test_the_histories_of_another_log_are_refused_and_found(system: System) -> None:
    async with Run(system) as run:
        await run.send(Orders(6, ["whatsapp"]).one_for_each_conversation())
        assert await run.settled()
        await run.at_rest()
    assert chat4all(system.settings, "migrate").returncode == 0
    empty = replace(system.settings, topic_prefix=f"empty-{uuid.uuid4().hex[:8]}-", partitions=12)
    refused = chat4all(empty, "migrate")
    assert refused.returncode == 1
    assert f"keyspace {empty.keyspace} has the histories of another log" in refused.stderr
    assert "where Kafka ends at 0" in refused.stderr
    url = f"http://{empty.host}:{empty.port}"
    found = json.loads(chat4all(empty, "doctor", url, "--json").stdout)
    assert "another-log" in [each["name"] for each in found]
