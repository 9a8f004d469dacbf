"""`chat4all dead-letters` and `chat4all channels`, as an admin types them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import Result

from app.kafka.codec import decode, encode
from domain.ports import Admin
from domain.records import AccountReport, ChannelCommand
from fakes.message_log import NOW_MS
from support.api import Api, RunCommand
from support.letters import delivery_letter, letter

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
async def maria(api: Api, run: RunCommand) -> None:
    """An admin, logged in."""
    registered = await run("register", "maria", "--password-stdin", "--json", stdin=f"{PASSWORD}\n")
    await api.admins.grant(Admin(json.loads(registered.output)["user_id"], "maria", 0, "root"))


def told(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.output))


def commands(api: Api) -> list[ChannelCommand]:
    return [decode(record.value, ChannelCommand) for record in api.record_log.values("whatsapp-commands")]


async def test_letters_are_listed_and_shown(api: Api, run: RunCommand) -> None:
    assert (await run("dead-letters")).output == ""
    first = await delivery_letter(api.record_log, "m-1", "c-1")
    await letter(api.record_log, "messages", b"\x1b]0;owned\x07")
    ids = [one["id"] for one in told(await run("dead-letters", "--json"))["dead_letters"]]
    assert (len(ids), first in ids) == (2, True)
    assert "m-1" in (await run("dead-letters", "--reason", "expired")).output
    assert "m-1" not in (await run("dead-letters", "--topic", "messages")).output
    shown = (await run("dead-letters", "show", first)).output
    assert "The message was not sent within its time." in shown
    assert "whatsapp-outbound[" in shown
    assert '"message_id": "m-1"' in shown
    await run("dead-letters", "show", "9-9", code=1)
    await run("dead-letters", "--since", "yesterday", code=2)


async def test_letters_are_redriven_by_id_once(api: Api, run: RunCommand) -> None:
    letter_id = await delivery_letter(api.record_log)
    assert "would redrive" in (await run("dead-letters", "redrive", letter_id, "--dry-run")).output
    assert commands(api) == []
    for _ in range(2):
        assert "redriven by maria" in (await run("dead-letters", "redrive", letter_id, "--note", "back")).output
    assert [command.reason for command in commands(api)] == ["back"]
    assert "already redriven" in (await run("dead-letters", "redrive", letter_id, "--dry-run")).output
    assert "redriven by maria" in (await run("dead-letters", "show", letter_id)).output
    await run("dead-letters", "redrive", letter_id, "--again")
    assert len(commands(api)) == 2


async def test_a_set_is_redriven_by_a_filter(api: Api, run: RunCommand) -> None:
    for number in range(5):
        await delivery_letter(api.record_log, f"m-{number}", f"c-{number}", "unavailable")
    unknown = await delivery_letter(api.record_log, "m-x", "c-x", "outcome-unknown")
    assert "5 letters would be redriven" in (await run("dead-letters", "redrive", "--all", "--dry-run")).output
    assert "5 letters redriven" in (await run("dead-letters", "redrive", "--reason", "unavailable")).output
    result = await run("dead-letters", "redrive", "--all", code=1)
    assert "5 had been redriven or discarded before" in result.output
    assert f"{unknown}: the channel may have this message" in result.output
    counts = told(await run("dead-letters", "redrive", "--all", "--may-repeat", "--json"))
    assert (counts["resolved"], counts["already"], counts["refused"]) == (1, 5, 0)
    assert len(commands(api)) == 6


async def test_letters_are_discarded(api: Api, run: RunCommand) -> None:
    noise = [await letter(api.record_log, "messages", b"{", b"c-%d" % n) for n in range(3)]
    assert "discarded by maria" in (await run("dead-letters", "discard", noise[0])).output
    assert "2 letters discarded" in (await run("dead-letters", "discard", "--topic", "messages")).output
    assert (await run("dead-letters")).output == ""
    assert len(told(await run("dead-letters", "--state", "all", "--json"))["dead_letters"]) == 3


@pytest.mark.parametrize("arguments", [(), ("0-0", "--all"), ("0-0", "--reason", "x"), ("--dry-run",)])
async def test_what_is_meant_must_be_said_in_one_way(run: RunCommand, arguments: tuple[str, ...]) -> None:
    for verb in ("redrive", "discard"):
        await run("dead-letters", verb, *arguments, code=2)


async def test_accounts_are_listed_paused_and_resumed(api: Api, run: RunCommand) -> None:
    assert "no report yet" in (await run("channels")).output
    report = AccountReport("whatsapp", "default", 0, "open", False, 3, 1, 5.0, NOW_MS, "429 slow down", {"breaker": 3})
    await api.record_log.write("whatsapp-accounts", 0, b"default 0", encode(report))
    api.clock.now_ms += 1_000
    output = (await run("channels")).output
    assert "breaker open" in output
    assert "3 waiting (breaker 3)" in output
    assert "429 slow down" in output
    assert told(await run("channels", "--json"))["accounts"][0]["in_flight"] == 1
    assert "pause it" in (await run("channels", "pause", "whatsapp", "--note", "maintenance")).output
    assert "resume it" in (await run("channels", "resume", "whatsapp", "default")).output
    assert [command.command for command in commands(api)] == ["pause", "resume"] * 6
    await run("channels", "pause", "whatsapp", "other", code=1)


async def test_who_is_no_admin_is_told_how_to_become_one(run: RunCommand) -> None:
    await run("register", "bruno", "--password-stdin", stdin=PASSWORD)
    assert "chat4all admin grant" in (await run("dead-letters", code=1)).output
    assert "chat4all admin grant" in (await run("channels", code=1)).output
