"""The accounts of channels over HTTP: what workers report, pause and resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.kafka.codec import decode, encode
from domain.records import AccountReport, ChannelCommand
from fakes.message_log import NOW_MS
from support.api import Api, StartApi

CHANNELS = "/v1/admin/channels"
REPORT = AccountReport("whatsapp", "default", 0, "closed", False, 3, 1, 5.0, NOW_MS, "", {"allowance": 2, "turn": 1})


async def report(api: Api, one: AccountReport) -> None:
    key = f"{one.account} {one.partition}".encode()
    await api.record_log.write(f"{one.channel}-accounts", one.partition, key, encode(one))


async def shown(api: Api, token: str) -> tuple[dict[tuple[str, str], dict[str, Any]], str]:
    answer = await api.call("GET", CHANNELS, token=token)
    assert answer.status == 200, await answer.text()
    document = await answer.json()
    return {(one["channel"], one["account"]): one for one in document["accounts"]}, document["as_of"]


async def test_declared_accounts_are_shown_before_a_worker_has_reported(api: Api) -> None:
    accounts, as_of = await shown(api, await api.admin())
    assert list(accounts) == [("whatsapp", "default"), ("instagram", "default"), ("telegram", "default")]
    one = accounts["whatsapp", "default"]
    assert (one["breaker"], one["reported_at"], one["waiting"], one["partitions"]) == (None, None, 0, [])
    assert as_of == "2025-11-22T22:00:00.123Z"


async def test_the_newest_reports_of_all_partitions_are_one_account(api: Api) -> None:
    admin = await api.admin()
    await report(api, replace(REPORT, waiting=99))
    await report(api, REPORT)
    other = replace(REPORT, partition=4, breaker="open", paused=True, last_error="429", at_ms=NOW_MS + 5)
    await report(api, replace(other, at_ms=NOW_MS + 2, last_error="older"))
    await report(api, other)
    accounts, _ = await shown(api, admin)
    one = accounts["whatsapp", "default"]
    assert (one["breaker"], one["paused"], one["waiting"], one["in_flight"]) == ("open", False, 6, 2)
    assert (one["waiting_by"], one["per_second"]) == ({"allowance": 4, "turn": 2}, 10.0)
    assert one["last_errors"] == [{"detail": "429", "at": "2025-11-22T22:00:00.128Z", "partition": 4}]
    assert [part["partition"] for part in one["partitions"]] == [0, 4]
    assert one["reported_at"] == "2025-11-22T22:00:00.128Z"


async def test_the_view_reads_on_and_says_how_old_it_is(api: Api) -> None:
    admin = await api.admin()
    await report(api, REPORT)
    await shown(api, admin)
    await report(api, replace(REPORT, waiting=7))
    accounts, as_of = await shown(api, admin)
    assert accounts["whatsapp", "default"]["waiting"] == 3  # of the same second
    api.clock.now_ms += 1_000
    accounts, later = await shown(api, admin)
    assert accounts["whatsapp", "default"]["waiting"] == 7
    assert later > as_of
    api.record_log.available = False
    api.clock.now_ms += 5_000
    accounts, still = await shown(api, admin)
    assert (accounts["whatsapp", "default"]["waiting"], still) == (7, later)


async def test_without_kafka_and_without_a_view_it_is_503(api: Api) -> None:
    admin = await api.admin()
    api.record_log.available = False
    assert (await api.call("GET", CHANNELS, token=admin)).status == 503


async def test_noise_and_accounts_that_are_not_declared_are_passed_over(api: Api) -> None:
    await api.record_log.write("whatsapp-accounts", 0, b"k", b"noise")
    await report(api, replace(REPORT, account="gone", waiting=0))
    accounts, _ = await shown(api, await api.admin())
    assert ("whatsapp", "gone") not in accounts


async def test_an_account_that_is_not_declared_any_more_is_shown_while_deliveries_of_it_wait(api: Api) -> None:
    await report(api, replace(REPORT, account="gone", waiting=3, waiting_by={"no-account": 2}))
    accounts, _ = await shown(api, await api.admin())
    assert accounts["whatsapp", "gone"]["waiting_by"] == {"no-account": 2}


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_command_reaches_every_partition_without_a_key(api: Api, verb: str) -> None:
    admin = await api.admin("maria")
    answer = await api.call("POST", f"{CHANNELS}/whatsapp/default/{verb}", {"note": "maintenance"}, admin)
    assert answer.status == 200
    told = await answer.json()
    records = api.record_log.values("whatsapp-commands")
    assert [(record.partition, record.key) for record in records] == [(n, None) for n in range(6)]
    [command] = {decode(record.value, ChannelCommand) for record in records}
    assert (command.command, command.account, command.by, command.reason) == (verb, "default", "maria", "maintenance")
    assert (told["command_id"], told["command"]) == (command.command_id, verb)


@pytest.mark.parametrize("path", ["whatsapp/other", "pigeon/default", "whatsapp/%20"])
async def test_an_unknown_account_is_404(api: Api, path: str) -> None:
    answer = await api.call("POST", f"{CHANNELS}/{path}/pause", token=await api.admin())
    assert answer.status == 404
    assert api.record_log.values("whatsapp-commands") == []


async def test_accounts_of_the_file_are_known(start_api: StartApi, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text('[[whatsapp]]\nname = "main"\n\n[[whatsapp]]\nname = "second"\n')
    async with start_api(accounts=str(path)) as api:
        admin = await api.admin()
        accounts, _ = await shown(api, admin)
        assert [name for channel, name in accounts if channel == "whatsapp"] == ["main", "second"]
        assert (await api.call("POST", f"{CHANNELS}/whatsapp/second/pause", token=admin)).status == 200
        assert (await api.call("POST", f"{CHANNELS}/whatsapp/default/pause", token=admin)).status == 404
