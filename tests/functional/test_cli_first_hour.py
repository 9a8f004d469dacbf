"""The command in the hands of somebody who has just installed it, and of somebody who is annoyed by it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from chat4all import Status
from chat4all.cli import session as session_module
from chat4all.cli.saved_sessions import SavedSessions
from domain.records import StatusChanged
from support.api import Api
from support.waiting import until

PASSWORD = "correct horse battery"
RECIPIENT = "whatsapp:+5511999999999"
OTHER = "telegram:@maria"
ROOT = Path(session_module.__file__).parents[2]
Run = Callable[..., Awaitable[Result]]
NOW = ("--wait", "accepted")


def told(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.output.splitlines()[-1]))


def events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.output.splitlines()]


async def play(api: Api, *words: Status, at: str = "", of: int = 1, detail: str = "") -> None:
    """Let these become of the first message that is accepted; ``at``: at one of ``of`` recipients."""
    await until(lambda: api.log.records)
    message, position, _ = api.log.records[0]
    for number, word in enumerate(words, 1):
        code = "x" if detail else None
        api.recent.add_fact(
            StatusChanged(
                message.message_id,
                message.conversation_id,
                word,
                position.accepted_at_ms + number * 100,
                position.accepted_at_ms,
                position.offset,
                "whatsapp",
                1,
                None,
                code,
                detail or None,
                at,
                of,
            )
        )


class Typed:
    """A command as a process of its own."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.folder = folder
        config = str(folder / "config")
        url = f"http://127.0.0.1:{api.port}"
        self.environ = {**os.environ, "CHAT4ALL_URL": url, "XDG_CONFIG_HOME": config, "PYTHONPATH": str(ROOT)}

    async def type(self, *arguments: str, stdin: bytes = b"", **more: object) -> tuple[int | None, str, str]:
        """Return the exit code, stdout and stderr."""
        pipe = subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chat4all",
            *arguments,
            cwd=self.folder,
            env=self.environ,
            **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **more},
        )
        out, err = await asyncio.wait_for(process.communicate(stdin), 30)
        return process.returncode, (out or b"").decode(), err.decode()


@pytest.fixture
def typed(api: Api, tmp_path: Path) -> Typed:
    (tmp_path / "here").mkdir()
    return Typed(api, tmp_path / "here")


@pytest.fixture
async def ana(run: Run) -> str:
    """The id of a user who has registered, and so is logged in."""
    return str(told(await run("register", "ana", "--password-stdin", "--json", stdin=PASSWORD))["user_id"])


def saved(api: Api) -> SavedSessions:
    return SavedSessions(f"http://127.0.0.1:{api.port}")


# the demo user


async def test_after_the_demo_users_first_message_all_commands_act_for_the_demo_user(run: Run, tmp_path: Path) -> None:
    sent = events(await run("send", RECIPIENT, "hello", *NOW, "--json"))[-1]
    shown = told(await run("status", sent["message_id"], "--json"))
    assert shown["content"] == "hello"
    username = told(await run("whoami", "--json"))["username"]
    assert username.startswith("demo_")
    assert "hello" in (await run("messages", shown["conversation_id"])).output
    await run("tail", shown["conversation_id"], "--timeout", "0.1")
    (tmp_path / "notes.txt").write_text("hi")
    uploaded = told(await run("upload", "notes.txt", "--json"))
    await run("download", uploaded["file_id"], "-o", str(tmp_path / "copy.txt"))
    again = events(await run("send", RECIPIENT, "again", *NOW, "--json"))[-1]
    assert told(await run("status", again["message_id"], "--json"))["sender_id"] == shown["sender_id"]


async def test_nothing_is_written_into_the_folder_that_one_stands_in(typed: Typed) -> None:
    code, _, err = await typed.type("send", RECIPIENT, "hello", *NOW)
    assert (code, err) == (0, "")
    kept = typed.folder / "config" / "chat4all"
    assert [path.name for path in typed.folder.iterdir()] == ["config"]
    assert {path.name for path in kept.iterdir()} >= {"demo-users.json", "sessions.json"}
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}


async def test_an_account_of_an_earlier_release_is_taken_over(api: Api, run: Run, tmp_path: Path) -> None:
    await api.register("demo_0ld", "made up long ago")
    (tmp_path / ".chat4all").mkdir()
    account = {"username": "demo_0ld", "password": "made up long ago"}
    (tmp_path / ".chat4all" / "demo-user.json").write_text(json.dumps(account))
    await run("send", RECIPIENT, "hello", *NOW)
    assert told(await run("whoami", "--json"))["username"] == "demo_0ld"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make somebody else's file")
async def test_an_account_in_somebody_elses_file_is_not_taken_over(api: Api, run: Run, tmp_path: Path) -> None:
    await api.register("demo_0ld", "made up long ago")
    (tmp_path / ".chat4all").mkdir()
    old = tmp_path / ".chat4all" / "demo-user.json"
    old.write_text(json.dumps({"username": "demo_0ld", "password": "made up long ago"}))
    os.chown(old, 12_345, 12_345)
    await run("send", RECIPIENT, "hello", *NOW)
    assert told(await run("whoami", "--json"))["username"] != "demo_0ld"


async def test_a_demo_user_whose_session_has_ended_is_logged_in_again(api: Api, run: Run) -> None:
    await run("send", RECIPIENT, "hello", *NOW)
    username = saved(api).current
    api.clock.now_ms += 40 * 86_400_000
    assert told(await run("whoami", "--json"))["username"] == username


async def test_a_demo_user_whom_the_api_has_forgotten_is_made_again(api: Api, run: Run) -> None:
    await run("send", RECIPIENT, "hello", *NOW)
    api.users.__init__()  # everything on the server's side was deleted
    assert told(await run("whoami", "--json"))["username"] == saved(api).current


async def test_who_is_named_and_not_logged_in_does_not_send_as_the_demo_user(api: Api, run: Run) -> None:
    refused = await run("send", RECIPIENT, "hello", "--as", "bruno", code=1)
    assert "not logged in as bruno" in refused.output
    assert api.log.records == []


async def test_two_first_messages_at_once_make_one_demo_user(api: Api, typed: Typed) -> None:
    ends = await asyncio.gather(*(typed.type("send", RECIPIENT, f"hello {n}", *NOW) for n in range(3)))
    assert [(code, err) for code, _, err in ends] == [(0, "")] * 3
    assert len({message.sender_id for message, _, _ in api.log.records}) == 1


async def test_who_is_not_logged_in_is_told_every_way_in(run: Run) -> None:
    output = (await run("tail", code=1)).output
    assert all(word in output for word in ("chat4all login", "chat4all register", "chat4all send"))


async def test_a_direct_conversation_is_listed_with_whom_it_is(run: Run, ana: str) -> None:
    await run("register", "bruno", "--password-stdin", stdin=PASSWORD)
    await run("send", "user:ana", "hello", *NOW)
    await run("send", RECIPIENT, "hello", *NOW)
    lines = (await run("conversations")).output.splitlines()
    assert {line.split()[-1] for line in lines} == {"ana", RECIPIENT}


# how far a message is followed


async def test_a_message_to_everyone_on_channels_is_followed_until_it_is_read(api: Api, run: Run, ana: str) -> None:
    await run("conversations", "create", RECIPIENT, "--id", "c-1")
    words = (Status.SENT, Status.DELIVERED, Status.READ)
    sent, _ = await asyncio.gather(run("send", "hello", "--conversation", "c-1", "--json"), play(api, *words))
    assert [event["status"] for event in events(sent)] == ["ACCEPTED", "SENT", "DELIVERED", "READ"]


async def test_a_message_to_everyone_is_followed_to_what_can_be_expected_of_each(api: Api, run: Run, ana: str) -> None:
    bruno = told(await run("register", "bruno", "--password-stdin", "--json", stdin=PASSWORD))["user_id"]
    await run("conversations", "create", ana, RECIPIENT, "--id", "c-1")
    sending = asyncio.create_task(run("send", "hello", "--conversation", "c-1"))
    await play(api, Status.SENT, at=f"internal:{ana}", of=2)
    await play(api, Status.SENT, Status.DELIVERED, at=RECIPIENT, of=2)
    done, _ = await asyncio.wait([sending], timeout=0.5)
    assert not done
    await play(api, Status.READ, at=RECIPIENT, of=2)
    output = (await sending).output
    assert bruno not in output
    [read] = [line for line in output.splitlines() if line.startswith("READ")]
    assert read.endswith(RECIPIENT)


async def test_a_message_that_failed_for_one_of_two_tells_for_whom_and_why(api: Api, run: Run, ana: str) -> None:
    await run("conversations", "create", RECIPIENT, OTHER, "--id", "c-1")
    sending = asyncio.create_task(run("send", "hello", "--conversation", "c-1", code=1))
    await play(api, Status.SENT, Status.DELIVERED, Status.READ, at=RECIPIENT, of=2)
    await play(api, Status.FAILED, at=OTHER, of=2, detail="no such handle")
    [failed] = [line for line in (await sending).output.splitlines() if line.startswith("FAILED")]
    assert OTHER in failed
    assert "no such handle" in failed


async def test_of_many_recipients_those_are_counted_for_whom_something_is_missing(api: Api, run: Run, ana: str) -> None:
    people = [f"telegram:@maria_{n}" for n in range(10)]
    await run("conversations", "create", *people, "--id", "c-1")
    send = ("send", "hello", "--conversation", "c-1", "--timeout", "1")
    sending = asyncio.create_task(run(*send, code=1))
    await play(api, Status.SENT, Status.DELIVERED, Status.READ, at=people[0], of=10)
    await play(api, Status.FAILED, at=people[1], of=10, detail="no such handle")
    output = (await sending).output
    assert "8 ACCEPTED, 1 READ, 1 FAILED" in output
    assert f"FAILED  {people[1]}  no such handle" in output
    assert "for 8 of 10 after 1 s" in output


# what was typed wrong


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["send", RECIPIENT], f'the text is missing: chat4all send {RECIPIENT} "hello"'),
        (["send", RECIPIENT, "--conversation", "c-1"], "the text is missing"),
        (["send", "hello"], "the recipient is missing"),
        (["send", "--file", "README.md"], "the recipient is missing"),
        (["send", RECIPIENT, "hello", "--timeout", "-3"], "no span of time"),
        (["send", RECIPIENT, "hello", "--timeout", "nan"], "no span of time"),
        (["send", RECIPIENT, "hello", "--timeout", "soon"], "not a number of seconds"),
        (["send", RECIPIENT, "hello", "--retry", "-1"], "no span of time"),
        (["tail", "--timeout", "0"], "no span of time"),
        (["files", "sweep", "--wait", "inf"], "no span of time"),
        (["sned", RECIPIENT, "hello"], "Did you mean 'send'"),
        (["mesages", "c-1"], "Did you mean 'messages'"),
        (["groups", "shwo"], "Did you mean 'show'"),
        (["files", "sweeep"], "Did you mean 'sweep'"),
        (["stack", "satus"], "Did you mean 'status'"),
        (["whoami", "--url", "http://[::1"], "no address of an API"),
        (["whoami", "--url", "http://localhost:99999"], "no address of an API"),
        (["whoami", "--url", "ftp://localhost"], "no address of an API"),
        (["whoami", "--url", "http://"], "no address of an API"),
        (["send", "--cnoversation", "c-1", "hi"], "--conversation"),
    ],
)
async def test_what_was_typed_wrong_is_named(run: Run, words: list[str], named: str) -> None:
    assert named in (await run(*words, code=2)).output
    as_json = told(await run(*words, "--json", code=2))
    assert (as_json["event"], as_json["exit_code"]) == ("error", 2)
    assert named in as_json["detail"]


async def test_a_time_that_cannot_be_is_no_time_to_wait_for_kafka(run: Run) -> None:
    assert "no span of time" in (await run("migrate", "--wait", "-1", code=2)).output


@pytest.mark.parametrize("option", ["--version", "-V"])
async def test_the_version_is_an_option_too(run: Run, option: str) -> None:
    assert (await run(option)).output == (await run("version")).output


async def test_a_conversation_that_is_not_there_is_not_waited_for(run: Run, ana: str) -> None:
    assert "no such conversation" in (await run("tail", "no-such", code=1)).output
    assert told(await run("tail", "no-such", "--json", code=1))["exit_code"] == 1


async def test_a_tail_tells_whose_status_changes_and_of_what(api: Api, run: Run, ana: str) -> None:
    sent = events(await run("send", RECIPIENT, "hello there", "--conversation", "c-1", *NOW, "--json"))[-1]
    [(message, position, _)] = api.log.records
    tail = asyncio.create_task(run("tail", "-n", "1", "--timeout", "20"))
    await until(lambda: api.services.live._transports, 20)
    api.live_log.fact(
        StatusChanged(
            message.message_id,
            "c-1",
            "READ",
            position.accepted_at_ms + 5_000,
            position.accepted_at_ms,
            position.offset,
            "whatsapp",
            1,
        )
    )
    line = (await tail).output.splitlines()[-1]
    assert f'READ -> {RECIPIENT} "hello there"' in line
    assert line.endswith(sent["message_id"])


# what is typed while a command waits


async def test_ctrl_c_ends_a_prompt_at_once(typed: Typed) -> None:
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chat4all",
        "login",
        "ana",
        cwd=typed.folder,
        env=typed.environ,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    assert b"Password" in await asyncio.wait_for(asyncio.to_thread(os.read, master, 1_000), 30)
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 130
    os.close(master)


@pytest.mark.parametrize(("stdin", "named"), [(b"\xff\xfe", "UTF-8"), (b"a" * 20_000, "more than 10240 bytes")])
async def test_stdin_that_is_no_message_is_refused(typed: Typed, stdin: bytes, named: str) -> None:
    code, _, err = await typed.type("send", RECIPIENT, "-", stdin=stdin)
    assert code == 2
    assert named in err
    assert "Traceback" not in err


async def test_a_password_on_stdin_that_is_no_text_is_refused(typed: Typed) -> None:
    code, _, err = await typed.type("login", "ana", "--password-stdin", stdin=b"\xff\n")
    assert code == 2
    assert "UTF-8" in err


# where nothing can be written


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))


@pytest.mark.parametrize(
    "words", [("send", RECIPIENT, "hello"), ("register", "ana", "--password-stdin"), ("send", "--file", "f", RECIPIENT)]
)
async def test_a_full_disk_is_a_sentence(typed: Typed, words: tuple[str, ...]) -> None:
    (typed.folder / "f").write_text("hi")
    code, _, err = await typed.type(*words, stdin=PASSWORD.encode(), preexec_fn=_small_files)
    assert code == 1
    assert err.count("\n") == 1, err
    assert "cannot be written: File too large" in err


async def test_the_state_of_an_upload_on_a_full_disk_is_a_sentence(typed: Typed) -> None:
    await typed.type("register", "ana", "--password-stdin", stdin=PASSWORD.encode())
    (typed.folder / "f").write_text("hi")
    code, _, err = await typed.type("upload", "f", preexec_fn=_small_files)
    assert code == 1
    assert "uploads.json cannot be written: File too large" in err
    assert "Traceback" not in err


async def test_what_was_kept_stays_when_it_cannot_be_replaced(typed: Typed) -> None:
    await typed.type("register", "ana", "--password-stdin", stdin=PASSWORD.encode())
    before = sorted(path.name for path in (typed.folder / "config" / "chat4all").iterdir())
    await typed.type("register", "bruno", "--password-stdin", stdin=PASSWORD.encode(), preexec_fn=_small_files)
    code, out, _ = await typed.type("whoami")
    assert code == 0
    assert "ana" in out
    assert sorted(path.name for path in (typed.folder / "config" / "chat4all").iterdir()) == before


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("words", [("config",), ("whoami",), ("send", RECIPIENT, "hi")])
async def test_an_output_that_takes_nothing_is_a_sentence(typed: Typed, words: tuple[str, ...], as_json: bool) -> None:
    await typed.type("register", "ana", "--password-stdin", stdin=PASSWORD.encode())
    full = os.open("/dev/full", os.O_WRONLY)
    code, _, err = await typed.type(*words, *(["--json"] if as_json else []), stdout=full)
    os.close(full)
    assert (code, err) == (1, "Error: the output cannot be written: No space left on device\n")


async def test_a_configuration_folder_that_cannot_be_made_is_a_sentence(typed: Typed) -> None:
    typed.environ["XDG_CONFIG_HOME"] = "/dev/null"
    code, _, err = await typed.type("send", RECIPIENT, "hello")
    assert code == 1
    assert "/dev/null/chat4all" in err
    assert "Traceback" not in err


async def test_a_reader_that_has_enough_is_no_error(typed: Typed, api: Api) -> None:
    await typed.type("register", "ana", "--password-stdin", stdin=PASSWORD.encode())
    reading, writing = os.pipe()
    os.close(reading)
    code, _, err = await typed.type("whoami", stdout=writing)
    os.close(writing)
    assert (code, err) == (1, "")
