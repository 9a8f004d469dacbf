"""The commands as somebody types them, against the running API whose Kafka and Cassandra are fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from chat4all import Tokens
from chat4all.cli.saved_sessions import SavedSessions, default_file
from domain.ports import LogPosition
from fakes.message_log import NOW_MS, partition_of
from support.api import Api
from support.waiting import until
from support.watching import message

PASSWORD = "correct horse battery"
RECIPIENT = "whatsapp:+5511999999999"
Run = Callable[..., Awaitable[Result]]


@pytest.fixture
async def ana(run: Run) -> str:
    """The id of a user who has registered, and so is logged in."""
    return str(told(await run("register", "ana", "--password-stdin", "--json", stdin=f"{PASSWORD}\n"))["user_id"])


def told(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.output))


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.output.splitlines()]


async def test_who_registers_is_logged_in_until_they_log_out(run: Run, ana: str) -> None:
    assert told(await run("whoami", "--json"))["user_id"] == ana
    assert "ana" in (await run("whoami")).output
    await run("logout")
    assert "not logged in" in (await run("whoami", code=1)).output
    assert ana in (await run("login", "ana", "--password-stdin", stdin=PASSWORD)).output
    await run("whoami")


async def test_tokens_are_for_this_user_only_and_no_password_is_kept_or_shown(run: Run, ana: str) -> None:
    file = default_file()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert PASSWORD not in file.read_text()
    assert "--password " not in (await run("login", "--help")).output
    refused = await run("login", "ana", "--password-stdin", "--json", stdin="wrong", code=1)
    assert told(refused)["exit_code"] == 1
    await run("whoami")


async def test_without_a_terminal_the_password_must_come_from_stdin(run: Run) -> None:
    assert "--password-stdin" in (await run("login", "ana", stdin=PASSWORD, code=2)).output


async def test_commands_act_for_who_logged_in_last_or_for_who_is_named(run: Run, ana: str) -> None:
    await run("register", "bruno", "--password-stdin", stdin=PASSWORD)
    assert told(await run("whoami", "--json"))["username"] == "bruno"
    assert told(await run("whoami", "--json", "--as", "ana"))["user_id"] == ana
    assert "chat4all login carla" in (await run("whoami", "--as", "carla", code=1)).output
    await run("logout")
    assert told(await run("whoami", "--json"))["username"] == "ana"


async def test_an_expired_token_is_refreshed_and_kept(api: Api, run: Run, ana: str) -> None:
    before = SavedSessions(f"http://127.0.0.1:{api.port}").load("ana")
    api.clock.now_ms += 3_700_000
    await asyncio.gather(*(run("whoami") for _ in range(2)))
    after = SavedSessions(f"http://127.0.0.1:{api.port}").load("ana")
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    await run("whoami")


async def test_a_session_that_ended_at_the_api_can_be_logged_out(api: Api, run: Run, ana: str) -> None:
    api.clock.now_ms += 40 * 86_400_000
    assert "`chat4all login ana`" in (await run("whoami", code=1)).output
    await run("logout")


async def test_identities_are_added_listed_and_removed(run: Run, ana: str) -> None:
    await run("identities", "add", "telegram:@Ana_1")
    assert [one["value"] for one in told(await run("identities", "--json"))["identities"]] == ["@ana_1"]
    assert "telegram:@ana_1" in (await run("identities")).output
    await run("identities", "remove", "telegram:@ana_1")
    assert (await run("identities")).output == ""
    await run("identities", "remove", "telegram:@ana_1", code=1)
    await run("identities", "add", "ana", code=2)


async def test_conversations_are_created_listed_and_shown(run: Run, ana: str) -> None:
    made = told(await run("conversations", "create", RECIPIENT, "--id", "c-1", "--name", "my cousin", "--json"))
    assert made["participants"] == sorted([ana, RECIPIENT])
    assert told(await run("conversations", "--json"))["conversations"] == [made]
    assert "my cousin" in (await run("conversations")).output
    assert RECIPIENT in (await run("conversations", "show", "c-1")).output
    await run("conversations", "show", "c-2", code=1)


async def test_groups_are_managed(run: Run, ana: str) -> None:
    bruno = told(await run("register", "bruno", "--password-stdin", "--json", stdin=PASSWORD))["user_id"]
    group = told(await run("groups", "create", "friends", ana, "--json"))["group_id"]
    assert told(await run("groups", "promote", group, ana, "--json"))["admins"] == sorted([ana, bruno])
    assert told(await run("groups", "remove", group, bruno, "--json", "--as", "ana"))["members"] == [ana]
    await run("groups", "show", group, code=1)
    assert "2 of at most 256" in (await run("groups", "add", group, bruno, "--as", "ana")).output
    assert "\n  bruno\n" in (await run("groups", "show", group)).output
    assert "friends" in (await run("groups")).output


async def test_messages_are_sent_listed_and_looked_at(run: Run, ana: str) -> None:
    for text in ("one", "two", "-"):
        await run("send", RECIPIENT, text, "--conversation", "c-1", "--wait", "accepted", stdin="three\n")
    listed = lines(await run("messages", "c-1", "--json"))
    assert [one["content"] for one in listed] == ["one", "two", "three\n"]
    assert {one["sender_id"] for one in listed} == {ana}
    assert [one["content"] for one in lines(await run("messages", "c-1", "--json", "-n", "1"))] == ["three\n"]
    assert lines(await run("messages", "c-1", "--json", "--all")) == listed
    assert "three\\n" in (await run("messages", "c-1")).output
    shown = await run("status", listed[0]["message_id"])
    assert "ACCEPTED" in shown.output
    assert told(await run("status", listed[0]["message_id"], "--json")) == listed[0]


async def test_kinds_are_sent_answered_and_reacted_to(api: Api, run: Run, ana: str) -> None:
    to = ("--conversation", "c-1", "--wait", "accepted")
    await run("send", RECIPIENT, "--template", "order:pt_BR", "--param", "Ana", *to)
    await run("send", RECIPIENT, "Coming?", "--button", "y=Yes", "--button", "No", *to)
    await run("send", RECIPIENT, "--location", "-23.5,-46.6,Café", *to)
    first = lines(await run("messages", "c-1", "--json"))[0]["message_id"]
    await run("send", RECIPIENT, "any news?", "--reply-to", first, *to)
    await run("react", first, "👍")
    assert [record.kind for record, _, _ in api.log.records] == [
        "template",
        "interactive",
        "location",
        "text",
        "reaction",
    ]
    theirs = replace(
        message(9, direction="inbound", sender_name="Ana", kind="button_reply", body={"id": "y", "title": "Yes"}),
        conversation_id="c-1",
        sender_id=RECIPIENT,
        content="",
    )
    api.recent.add_message(theirs, LogPosition(NOW_MS, 10_000), partition_of(theirs))
    shown = (await run("messages", "c-1")).output.splitlines()
    assert shown[0].endswith("[template order pt_BR: Ana] 👍")
    assert shown[1].endswith("Coming? [Yes, No]")
    assert shown[2].endswith("[location Café, -23.5,-46.6]")
    assert shown[3].endswith(f"re {first}: any news?")
    assert shown[4].endswith(f"[👍 to {first}]")
    assert shown[5].endswith(f"<- Ana ({RECIPIENT})  [pressed Yes]")
    await run("send", RECIPIENT, "hi", "--template", "order", *to, code=2)
    await run("send", RECIPIENT, "hi", "--location", "1,2", *to, code=2)


async def test_a_message_to_everyone_is_read_and_traced(run: Run, ana: str) -> None:
    bruno = told(await run("register", "bruno", "--password-stdin", "--json", stdin=PASSWORD))["user_id"]
    await run("conversations", "create", ana, RECIPIENT, "--id", "c-1")
    await run("send", "hello", "--conversation", "c-1", "--wait", "accepted")
    [sent] = lines(await run("messages", "c-1", "--json"))
    message_id = sent["message_id"]
    assert (sent["sender_id"], sent["recipient_id"]) == (bruno, None)
    assert told(await run("read", message_id, "--as", "ana", "--json"))["status"] == "READ"
    assert "READ" in (await run("read", message_id, "--as", "ana")).output
    assert "only a recipient can" in (await run("read", message_id, code=1)).output
    shown = (await run("status", message_id)).output
    assert "everyone" in shown
    assert f"{RECIPIENT}:" in shown
    assert told(await run("trace", message_id, "--json"))["events"][0]["event"] == "ACCEPTED"
    assert "messages[" in (await run("trace", message_id)).output


async def test_one_key_is_one_message(run: Run, ana: str) -> None:
    for code, text in ((0, "hello"), (0, "hello"), (1, "something else")):
        send = ("send", RECIPIENT, text, "--conversation", "c-1", "--wait", "accepted", "--key", "order-17")
        await run(*send, code=code)
    assert (await run("messages", "c-1")).output.count(f"ana -> {RECIPIENT}  hello") == 1


async def test_send_needs_a_recipient_or_a_conversation(run: Run, ana: str) -> None:
    await run("send", "hello", code=2)
    await run("send", RECIPIENT, "hello", "you", code=2)
    await run("send", code=2)
    await run("send", "pigeon:1", "hello", code=2)


async def test_tail_shows_what_happens_and_can_be_continued(api: Api, run: Run, ana: str) -> None:
    await run("conversations", "create", RECIPIENT, "--id", "c-1")
    first = asyncio.create_task(run("tail", "--json", "-n", "1", "--timeout", "20"))
    await until(lambda: api.services.live._transports, 20)
    api.live_log.message(message(1))
    connected, seen = lines(await first)
    assert (connected["type"], seen["message_id"]) == ("connected", "m-1")
    api.live_log.message(message(2))
    api.live_log.message(message(3))
    resumed = await run("tail", "c-1", "--since", seen["cursor"], "-n", "2", "--timeout", "20")
    assert [line.rpartition("hi ")[2] for line in resumed.output.splitlines()[1:]] == ["2", "3"]
    await run("tail", "c-2", "-n", "1", "--since", seen["cursor"], "--timeout", "0.3", code=1)


async def test_a_terminal_obeys_nothing_that_others_wrote(run: Run, ana: str) -> None:
    await run("send", RECIPIENT, "\x1b]0;owned\x07 \u202egnp.exe 👩‍👩‍👧", "--conversation", "c-1", "--wait", "accepted")
    output = (await run("messages", "c-1")).output
    assert not set(output) & {"\x1b", "\x07", "\u202e"}
    assert "👩‍👩‍👧" in output


async def test_the_scheme_of_the_url_may_be_left_out(api: Api, run: Run, ana: str) -> None:
    await run("whoami", "--url", f"127.0.0.1:{api.port}/")


async def test_no_api_is_exit_code_3_and_a_damaged_file_is_a_sentence(run: Run, ana: str) -> None:
    nowhere = ("--url", "http://127.0.0.1:1")
    assert "no answer" in (await run("login", "ana", "--password-stdin", *nowhere, stdin="x", code=3)).output
    default_file().write_text("{")
    assert "delete it and log in again" in (await run("whoami", code=1)).output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_prints_a_script(run: Run, shell: str) -> None:
    assert "_CHAT4ALL_COMPLETE" in (await run("completion", shell)).output


async def test_two_commands_cannot_change_the_file_at_once(tmp_path: Path) -> None:
    saved = SavedSessions("http://x", tmp_path / "deep" / "sessions.json")

    async def log_in(name: str) -> None:
        async with saved.lock():
            saved.save(name, Tokens("a", "r", name))
            await asyncio.sleep(0)
            saved.use(name)

    await asyncio.gather(*(log_in(f"user_{n}") for n in range(10)))
    assert {saved.load(f"user_{n}").user_id for n in range(10)} == {f"user_{n}" for n in range(10)}
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["sessions.json", "sessions.lock"]
