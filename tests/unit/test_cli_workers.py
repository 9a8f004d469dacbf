"""Which processes `chat4all worker` and `chat4all api` run, and what they are told."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.roles import ROLES
from app.settings import Settings
from chat4all.cli.server_commands import command_named
from cli.errors import CannotSupervise
from cli.workers import (
    API_STAGE,
    LEDGER_STAGE,
    SIMULATOR_STAGE,
    WORKER_STAGE,
    api_specs,
    check_ports,
    claimed,
    counts_of,
    is_at_work,
    is_left_over,
    ledger_specs,
    node_of,
    port_of,
    worker_specs,
)

SETTINGS = Settings(metrics_port=9000, port=9100, node="node-a", jwt_secret="s" * 48)


def test_without_a_wish_every_role_has_one_worker() -> None:
    assert counts_of((), {}, partitions=6) == dict.fromkeys(ROLES, 1)


@pytest.mark.parametrize(
    ("roles", "counts", "expected"),
    [
        pytest.param(("whatsapp",), {}, {"whatsapp": 1}, id="one role"),
        pytest.param(("whatsapp",), {"whatsapp": 3}, {"whatsapp": 3}, id="one role, thrice"),
        pytest.param(("core",), {"mirror": 2}, {"core": 1, "mirror": 2}, id="a count names a role, too"),
        pytest.param((), {role: 0 for role in ROLES if role != "core"}, {"core": 1}, id="zero leaves a role out"),
    ],
)
def test_roles_and_counts_add_up(roles: tuple[str, ...], counts: dict[str, int], expected: dict[str, int]) -> None:
    assert counts_of(roles, counts, partitions=6) == expected


def test_more_workers_than_partitions_are_refused() -> None:
    with pytest.raises(CannotSupervise, match="7 workers of core were asked for, but there are 6 partitions"):
        counts_of((), {"core": 7}, partitions=6)


def test_each_worker_has_its_own_role_name_and_port() -> None:
    specs = worker_specs(SETTINGS, {"core": 1, "whatsapp": 2})
    seen = [
        (spec.name, *(spec.environ[f"CHAT4ALL_{name}"] for name in ("ROLE", "INSTANCE", "METRICS_PORT")))
        for spec in specs
    ]
    assert seen == [
        ("core-1", "core", "core-1.node-a", "9000"),
        ("whatsapp-1", "whatsapp", "whatsapp-1.node-a", "9001"),
        ("whatsapp-2", "whatsapp", "whatsapp-2.node-a", "9002"),
    ]
    assert all(spec.command[-2:] == ("--web-port", spec.environ["CHAT4ALL_METRICS_PORT"]) for spec in specs)


def test_a_process_is_given_the_settings_that_its_supervisor_has_read() -> None:
    (spec,) = worker_specs(SETTINGS, {"core": 1})
    assert Settings.from_environ(spec.environ).jwt_secret == SETTINGS.jwt_secret


def test_api_processes_share_a_port_and_stop_after_the_workers() -> None:
    apis = api_specs(SETTINGS, 2)
    assert [spec.name for spec in apis] == ["api-1", "api-2"]
    assert {spec.environ["CHAT4ALL_PORT"] for spec in apis} == {"9100"}
    assert apis[0].stage < worker_specs(SETTINGS, {"core": 1})[0].stage


def test_a_node_is_the_same_after_a_restart_and_another_in_another_folder(tmp_path: Path) -> None:
    here, there = (Settings(data_dir=str(tmp_path / name)) for name in ("here", "there"))
    assert node_of(here) == node_of(here) != node_of(there)


def test_a_node_is_a_legal_part_of_a_group_instance_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Ana's laptop (ação)")
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", node_of(Settings()))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_a_port_of_somebody_else_is_named_with_its_owner(taken_port: int) -> None:
    with pytest.raises(CannotSupervise, match=rf"core-1 needs port {taken_port}, but .* set CHAT4ALL_METRICS_PORT"):
        check_ports(worker_specs(Settings(metrics_port=taken_port), {"core": 1}))
    with pytest.raises(CannotSupervise, match=rf"api-1 needs port {taken_port}, but .* set CHAT4ALL_PORT"):
        check_ports(api_specs(Settings(port=taken_port), 1))


def test_the_same_worker_is_not_run_twice_on_one_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path))
    core, mirror = (worker_specs(settings, {role: 1}) for role in ("core", "mirror"))
    with (
        claimed(core, settings),
        claimed(mirror, settings),
        pytest.raises(CannotSupervise, match="core-1 is run by pid"),
        claimed(core, settings),
    ):
        pass
    with claimed(core, settings):
        pass  # the claim ended with its holder


UUID = "0193b5a0-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        pytest.param(f"core-2.node-a-{UUID}", True, id="one that this run does not start"),
        pytest.param(f"core-1.node-a-{UUID}", False, id="one that this run starts, which takes its place"),
        pytest.param(f"core-2.node-b-{UUID}", False, id="another machine's"),
        pytest.param(f"mirror-1.node-a-{UUID}", False, id="of a role that somebody else may run"),
        pytest.param(f"faust-{UUID}", False, id="a member without a name"),
        pytest.param("x", False, id="anything"),
    ],
)
def test_only_a_worker_of_ours_that_is_wanted_no_more_is_left_over(member: str, expected: bool) -> None:
    specs = worker_specs(SETTINGS, {"core": 1, "whatsapp": 2})
    assert is_left_over(member, specs, SETTINGS) is expected


async def answer_once(status: str) -> tuple[asyncio.Server, int]:
    """A worker that answers everything with one status."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("status", "expected"), [("200 OK", True), ("503 Service Unavailable", False)])
async def test_a_worker_is_at_work_when_it_says_so(status: str, expected: bool) -> None:
    server, port = await answer_once(status)
    assert await is_at_work(port) is expected
    server.close()
    assert not await is_at_work(port)


def test_processes_of_the_api_share_a_port_and_have_names() -> None:
    specs = api_specs(SETTINGS, 2)
    assert [spec.environ["CHAT4ALL_INSTANCE"] for spec in specs] == ["api-1", "api-2"]
    assert {spec.environ["CHAT4ALL_PORT"] for spec in specs} == {"9100"}


@pytest.mark.parametrize("command", ["run", "api"])
def test_there_are_two_processes_of_the_api_unless_somebody_says_otherwise(command: str) -> None:
    found = command_named(command)
    assert found is not None
    options = {option.name: option.default for option in found.params}
    assert options["processes"] == 2


def test_two_that_would_take_the_same_port_are_named_before_anything_starts() -> None:
    settings = Settings(port=39_001, metrics_port=39_000)
    specs = [*api_specs(settings, 2), *worker_specs(settings, {"core": 2})]
    with pytest.raises(CannotSupervise, match="the API and core-2 both need port 39001"):
        check_ports(specs)
    with pytest.raises(CannotSupervise, match="kafka and core-1 both need port 39000"):
        check_ports(worker_specs(settings, {"core": 2}), {"kafka": 39_000})


def test_the_ledger_is_started_where_its_address_is_on_this_machine(tmp_path: Path) -> None:
    (spec,) = ledger_specs(Settings(), tmp_path)
    assert spec.command[-4:] == ("chat4all", "ledger", "--port", "8081")
    assert (port_of(spec), spec.output) == (8081, tmp_path / "ledger.log")
    assert spec.stage == LEDGER_STAGE > max(SIMULATOR_STAGE, API_STAGE, WORKER_STAGE), "it stops first"
    for url in ("", "http://ledger:8081/metrics", "https://metrics.example.org/"):
        assert not ledger_specs(Settings(ledger_url=url))
