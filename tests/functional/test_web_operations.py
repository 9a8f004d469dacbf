"""Health and metrics."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.api import Api
from support.waiting import until
from web.http.app_keys import PROBES
from web.http.in_flight import IN_FLIGHT
from web.http.metrics import Metrics


async def test_alive_means_that_this_process_answers(api: Api) -> None:
    api.down |= {"kafka", "cassandra"}
    answer = await api.call("GET", "/health")
    assert (answer.status, await answer.json()) == (200, {"status": "UP"})


@pytest.mark.parametrize("path", ["/health/ready", "/actuator/health"])
@pytest.mark.parametrize("down", [set(), {"kafka"}, {"cassandra"}, {"kafka", "cassandra"}])
async def test_ready_means_that_every_dependency_answers(api: Api, path: str, down: set[str]) -> None:
    api.down |= down
    answer = await api.call("GET", path)
    health = await answer.json()
    assert answer.status == (503 if down else 200)
    assert health["status"] == ("DOWN" if down else "UP")
    for name in ("kafka", "cassandra"):
        component = health["components"][name]
        assert component["status"] == ("DOWN" if name in down else "UP")
        assert component["latency_ms"] >= 0


async def test_a_dependency_that_hangs_is_down_in_bounded_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.handlers.health.PROBE_SECONDS", 0.05)
    api.app[PROBES]["kafka"] = asyncio.Event().wait
    answer = await api.call("GET", "/health/ready")
    assert (answer.status, (await answer.json())["components"]["kafka"]["status"]) == (503, "DOWN")


@pytest.mark.parametrize("path", ["/metrics", "/actuator/prometheus"])
async def test_metrics_count_what_was_accepted_and_how_long_it_took(api: Api, path: str) -> None:
    token = await api.somebody()
    for _ in range(3):
        await api.send(token)
    await api.call("GET", "/no/such/path")
    await api.call("PURGE", "/health")
    answer = await api.call("GET", path)
    assert answer.content_type == "text/plain"
    text = await answer.text()
    assert "\nchat4all_messages_accepted_total 3\n" in text
    assert re.search(r'chat4all_http_request_seconds_count\{method="POST",route="/v1/messages",status="202"\} 3', text)
    assert re.search(r'_bucket\{le="\+Inf",method="POST",route="/v1/messages",status="202"\} 3', text)
    assert 'route="unknown",status="404"' in text
    assert "PURGE" not in text
    assert "chat4all_follower_records_behind 0" in text
    assert "chat4all_recent_messages 3" in text
    assert "chat4all_password_hashes_waiting 0" in text
    for swept in ("files_swept", "file_orphans_swept", "file_sweep_failures"):
        assert f"chat4all_{swept}_total 0" in text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert all(name.startswith(("chat4all_", "process_")) for name in names)
    assert "process_resident_memory_bytes" in names


def test_the_metrics_of_processes_that_share_a_port_are_told_apart() -> None:
    one, other = Metrics("api-1"), Metrics("api-2")
    one.watch("chat4all_http_requests_in_flight", "Requests under way.", lambda: 3)
    one.messages_accepted.count += 2
    text = one.rendered()[0].decode()
    assert 'chat4all_messages_accepted_total{process="api-1"} 2' in text
    assert 'chat4all_http_requests_in_flight{process="api-1"} 3' in text
    assert all('process="api-1"' in line for line in text.splitlines() if line and not line.startswith("#"))
    assert 'chat4all_messages_accepted_total{process="api-2"} 0' in other.rendered()[0].decode()


def test_an_api_process_starts_without_what_its_first_answer_does_not_need() -> None:
    late = ["miniopy_async", "web.description.openapi", "web.contract.message_responses", "web.description.operations"]
    code = f"import sys, web.server; print([name for name in {late} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert process.stdout == "[]\n"


async def test_head_answers_like_get_without_a_body(api: Api) -> None:
    answer = await api.call("HEAD", "/health")
    assert (answer.status, answer.headers["Content-Length"]) == (200, "15")


async def test_stopping_waits_for_a_request_whose_body_is_still_coming(api: Api) -> None:
    body = b'{"username": "maria", "password": "wrong password"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:9])
    requests = api.app[IN_FLIGHT]
    await until(lambda: requests.count)
    assert not await requests.wait_until_drained(0.05)
    stopping = asyncio.create_task(requests.wait_until_drained(5))
    writer.write(body[9:])
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in answer
    assert await stopping
    writer.close()


async def test_the_description_is_served_as_it_is_committed(api: Api) -> None:
    answer = await api.call("GET", "/openapi.json")
    assert (answer.status, answer.content_type) == (200, "application/json")
    committed = Path(__file__).parents[2] / "docs" / "openapi.json"
    assert await answer.json() == json.loads(committed.read_text())


async def test_the_page_is_served_with_a_policy_that_fits_it(api: Api) -> None:
    answer = await api.call("GET", "/docs")
    assert (answer.status, answer.content_type) == (200, "text/html")
    script = (await answer.text()).partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_front_door_is_the_console(api: Api, method: str) -> None:
    answer = await api.call(method, "/", allow_redirects=False)
    assert (answer.status, answer.content_type) == (200, "text/html")
