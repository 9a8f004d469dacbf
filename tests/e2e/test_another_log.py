"""A new Kafka, or a new topic prefix, beside the histories of another one: refused before a message is accepted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import replace

from app.cassandra import cassandra_config
from app.settings import Settings
from loadtests.orders import Orders
from loadtests.run import Run
from loadtests.system import System
from storage.cassandra.driver_session import Access
from storage.cassandra.log_reach import last_offsets
from storage.cassandra.session import CassandraSession

NOW_MS = 1_795_000_000_000


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
    assert "--lost-tail" in refused.stderr
    url = f"http://{empty.host}:{empty.port}"
    found = json.loads(chat4all(empty, "doctor", url, "--json").stdout)
    assert "another-log" in [each["name"] for each in found]


async def test_a_log_that_lost_its_tail_goes_on_when_told_so(system: System) -> None:
    name = uuid.uuid4().hex[:8]
    settings = replace(system.settings, topic_prefix=f"tail-{name}-", keyspace=f"tail_{name}")
    assert chat4all(settings, "migrate").returncode == 0
    async with CassandraSession(cassandra_config(settings)) as session:
        await session.connected(30)
        write = "UPDATE {ks}.clock_compared USING TIMESTAMP ? SET last_place = ? WHERE partition = ?"
        for partition, offset in ((0, 41), (3, 7)):
            await session.run(write, (offset + 1, (NOW_MS, offset), partition), Access.WRITE)
        assert await last_offsets(session) == {0: 41, 3: 7}
        assert chat4all(settings, "migrate").returncode == 1
        told = chat4all(settings, "migrate", "--lost-tail")
        assert told.returncode == 0, told.stderr
        assert "message at offset 41 of partition 0, where Kafka ends at 0" in told.stdout
        assert "message at offset 7 of partition 3" in told.stdout
        assert await last_offsets(session) == {}
        await session.run(write, (43, (NOW_MS, 42), 0), Access.WRITE)  # the mirror, once it is past it
        assert await last_offsets(session) == {0: 42}
    assert chat4all(settings, "migrate", "--lost-tail").returncode == 0
