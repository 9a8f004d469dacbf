"""`chat4all run` on the real Kafka and Cassandra: from one command to READ, and down again."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from loadtests.system import Servers
from support.waiting import until
from support.whole_run import System
from web.flow.ledger import read_balance

pytestmark = [pytest.mark.real, pytest.mark.timeout(170), pytest.mark.asyncio(loop_scope="module")]


WORDS, PASSWORD, JWT_SECRET = "marked-words-of-a-message", "Marked-Password-1!", "marked-secret-of-tokens-" * 3


class Collector:
    """Takes traces over OTLP. ``url``: its address; ``text``: everything that came, names and values of attributes."""

    def __init__(self) -> None:
        self.text = ""
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._server = TestServer(app)

    async def start(self) -> None:
        await self._server.start_server()
        self.url = str(self._server.make_url("")).rstrip("/")

    async def stop(self) -> None:
        await self._server.close()

    async def _take(self, request: web.Request) -> web.Response:
        self.text += str(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(body=b"")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    await collector.start()
    yield collector
    await collector.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    tmp_path_factory: pytest.TempPathFactory, stack: Servers, collector: Collector
) -> AsyncIterator[System]:
    system = System(tmp_path_factory.mktemp("run"), stack)
    system.environ |= {"CHAT4ALL_OTLP_URL": collector.url, "CHAT4ALL_JWT_SECRET": JWT_SECRET}
    try:
        await system.start()
        yield system
    finally:
        if hasattr(system, "process") and system.process.returncode is None:
            await system.stop()


async def test_one_command_starts_everything_and_the_printed_lines_work(system: System) -> None:
    shown = system.text.splitlines()
    assert "Chat4All is running" in system.text, system.text
    lines = [line.strip() for line in shown if line.startswith(("  curl", "  TOKEN", "  ID"))]
    assert len(lines) == 4

    code, output = await system.paste([*lines[:3], "sleep 2", lines[3]])
    assert code == 0, output
    documents = [json.loads(line) for line in re.findall(r"\{.*?\}(?=\{|\s|$)", output)]
    assert documents[-1]["status"] == "READ", output
    await system.until(r"whatsapp-1 .*\[WhatsApp\] Delivered to \+5511999999999", 10)

    code, output = await system.call("send", "telegram:@maria", "olá", "--json")
    assert code == 0, output
    assert [json.loads(line)["status"] for line in output.splitlines()] == ["ACCEPTED", "SENT", "DELIVERED", "READ"]


async def test_the_ledger_is_kept_and_shows_what_was_sent(system: System) -> None:
    await system.until(r"ledger +pid (\d+)", 5)

    async def shown() -> dict[str, float]:
        return dict(await read_balance(system.environ["CHAT4ALL_LEDGER_URL"]) or {})

    async def has_sent() -> bool:
        return (await shown()).get("sent", 0) >= 2

    await until(has_sent, 20, look_seconds=0.2)  # it takes a balance every five seconds
    assert (await shown())["difference"] == 0


async def test_a_worker_that_is_killed_is_back_and_the_message_arrives(system: System) -> None:
    pid = int((await system.until(r"whatsapp-1 +pid (\d+)", 5))[1])
    os.kill(pid, signal.SIGKILL)
    code, output = await system.call("send", "whatsapp:+5511999999998", "hello", "--json", "--timeout", "30")
    assert code == 0, output
    await system.until(rf"whatsapp-1 \(pid {pid}\) was ended by SIGKILL .* next start in 0 s", 5)


async def test_migrate_may_run_again_beside_it_and_another_run_is_refused(system: System) -> None:
    code, output = await system.call("migrate")
    assert code == 0, output
    assert re.match(r"Kafka: all \d+ topics are there\.\nCassandra: keyspace test_\w+ is up to date\.\n", output), (
        output
    )
    code, output = await system.call("run")
    assert code == 1
    assert f"core-1 is run by pid {system.process.pid} already" in output


async def test_neither_words_nor_secrets_are_in_logs_metrics_or_traces(system: System, collector: Collector) -> None:
    """Everything that a running system says of itself is read, with its logs at DEBUG."""
    for pid in re.findall(r"\w-1 +pid (\d+)", system.text):
        with suppress(ProcessLookupError):  # one was killed by an earlier test
            os.kill(int(pid), signal.SIGUSR2)
    await system.until("the level of the log is DEBUG now", 10)
    async with ClientSession(f"http://127.0.0.1:{system.port}", timeout=ClientTimeout(30)) as client:
        name = {"username": "marked_user", "password": PASSWORD}
        await client.post("/auth/register", json=name)
        await client.post("/auth/login", json={**name, "password": f"{PASSWORD}-wrong"})
        token = (await (await client.post("/auth/login", json=name)).json())["access_token"]
        head = {"Authorization": f"Bearer {token}"}
        addresses = ("whatsapp:+5511999999997", "whatsapp:+12025550101", "telegram:@is_unknown", "nonsense")
        for address in addresses:  # taken, refused, unknown, invalid
            await client.post("/v1/messages", json={"recipient_id": address, "content": WORDS}, headers=head)
        await client.post("/v1/messages", data=f'{{"content": "{WORDS}', headers=head)
        await client.get(f"/v1/messages?token={token}", headers=head)
        await system.until(r"Delivered to \+5511999999997", 20)
        await until(lambda: "send whatsapp" in collector.text and "send telegram" in collector.text, 20)
        ports = [system.port, *range(system.port + 1, system.port + 6), system.ledger_port]
        metrics = [await (await client.get(f"http://127.0.0.1:{port}/metrics")).text() for port in ports]
    assert all("# HELP" in text for text in metrics)
    logs = {path.name: path.read_text() for path in (system.folder / ".chat4all" / "logs").iterdir()}
    assert {"api-1.log", "core-1.log", "whatsapp-1.log", "ledger.log"} <= set(logs)
    assert "marked_user" not in "".join(metrics)
    said = {**logs, "screen": system.text, "metrics": "".join(metrics), "traces": collector.text}
    for where, text in said.items():
        for secret in (WORDS, PASSWORD, JWT_SECRET, token, token.rpartition(".")[2]):
            assert secret not in text, where


async def test_ctrl_c_stops_everything(system: System) -> None:
    started = psutil.Process(system.process.pid).children(recursive=True)
    shown = {int(pid) for pid in re.findall(r"-1 .*pid (\d+)", system.text)}
    assert len(shown) >= 6
    assert shown & {process.pid for process in started}
    assert await system.stop() == 0
    assert "Stopped." in system.text
    assert not any(process.is_running() for process in started)
    assert not any(psutil.pid_exists(pid) for pid in shown)
