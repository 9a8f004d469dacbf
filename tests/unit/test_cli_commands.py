"""The command as a person meets it: quick, secretive, and clear about what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from app.settings import InvalidSetting, Settings
from chat4all import changes_of, has_reached
from chat4all.cli import commands
from chat4all.cli.api_address import local_url
from chat4all.cli.commands.sending import recipient_and_text
from chat4all.cli.demo_user import DemoUsers
from chat4all.cli.following import duration
from chat4all.cli.main import main
from chat4all.cli.output import size_text
from chat4all.cli.shares import shares
from cli.run import parts_of, with_public_url
from cli.summary import curl_lines
from devstack import Stack, StackConfig
from domain.status import Status
from web.files.links import check_public_url

HEAVY = ("faust", "aiokafka", "aiohttp", "cassandra", "uvloop", "asyncio")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(main, arguments, env=environ)

    return run


@pytest.mark.parametrize("arguments", [["--help"], ["worker", "--help"], ["tail", "--help"], ["completion", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from chat4all.cli.main import main\n"
        f"print(CliRunner().invoke(main, {arguments!r}).output)\n"
        f"sys.exit(', '.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage:" in result.stdout


def test_help_lists_every_command(run: Callable[..., Result]) -> None:
    output = run("--help").output
    names = ("api", "audit", "config", "migrate", "provider", "run", "send", "stack", "worker", *commands.NAMES)
    assert all(f"\n  {name} " in output for name in names)


def test_config_prints_what_is_in_force_and_hides_secrets(run: Callable[..., Result]) -> None:
    environ = {"CHAT4ALL_PARTITIONS": "12", "CHAT4ALL_JWT_SECRET": "hush-hush"}
    text, as_json = run("config", **environ).output, json.loads(run("config", "--json", **environ).output)
    assert "CHAT4ALL_PARTITIONS=12" in text.splitlines()
    assert "CHAT4ALL_JWT_SECRET=***" in text.splitlines()
    assert (as_json["partitions"], as_json["jwt_secret"]) == (12, "***")
    assert "hush-hush" not in text


def test_a_wrong_setting_is_a_sentence_and_no_traceback(run: Callable[..., Result]) -> None:
    result = run("config", CHAT4ALL_PARTITIONS="many")
    assert result.exit_code == 1
    assert result.output.startswith("Error: CHAT4ALL_PARTITIONS='many'")


@pytest.mark.parametrize("wrong", [["-n", "core"], ["-n", "chor=1"], ["-n", "core=-1"], ["--role", "chor"]])
def test_a_role_or_count_that_cannot_be_is_wrong_usage(run: Callable[..., Result], wrong: list[str]) -> None:
    assert run("worker", *wrong).exit_code == 2


def test_migrate_says_that_kafka_is_away_after_a_bounded_wait(run: Callable[..., Result]) -> None:
    result = run("migrate", "--wait", "0.5", CHAT4ALL_KAFKA="127.0.0.1:1")
    assert result.exit_code == 1
    assert "Error: Kafka at 127.0.0.1:1 does not answer" in result.output


def test_send_without_an_api_has_an_exit_code_of_its_own(run: Callable[..., Result]) -> None:
    result = run("send", "whatsapp:+5511999999999", "hello", "--json", CHAT4ALL_PORT="1")
    assert result.exit_code == 3
    assert "127.0.0.1:1" in json.loads(result.output)["detail"]


async def test_the_demo_users_password_is_kept_for_this_user_only(tmp_path: Path) -> None:
    file = tmp_path / "state" / "demo-users.json"
    user = await DemoUsers("http://x", file).known_or_new()
    assert await DemoUsers("http://x/", file).known_or_new() == user
    assert file.stat().st_mode & 0o777 == 0o600
    assert user.password not in repr(user)
    assert sorted(path.name for path in file.parent.iterdir()) == ["demo-users.json", "demo-users.lock"]


async def test_each_api_has_a_demo_user_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "demo-users.json"
    first, second = [await DemoUsers(f"http://{host}", file).known_or_new() for host in ("x", "y")]
    assert first != second
    assert await DemoUsers("http://x", file).known_or_new() == first


def test_the_changes_of_a_message_come_in_the_order_of_their_words() -> None:
    message = {"accepted_at": "2026-01-01T00:00:00.000Z", "read_at": "2026-01-01T00:00:02.000Z", "sent_at": None}
    assert [change.status for change in changes_of(message)] == [Status.ACCEPTED, Status.READ]


def test_a_failure_brings_its_reason() -> None:
    failed = {"failed_at": "2026-01-01T00:00:00.000Z", "failure": {"code": "x", "detail": "no such number"}}
    assert [change.detail for change in changes_of(failed)] == ["no such number"]


@pytest.mark.parametrize(
    ("known", "until", "reached"),
    [
        ({Status.ACCEPTED}, Status.SENT, False),
        ({Status.ACCEPTED, Status.READ}, Status.SENT, True),
        ({Status.ACCEPTED, Status.FAILED}, Status.SENT, False),
        ({Status.FAILED}, Status.FAILED, True),
    ],
)
def test_a_later_word_implies_the_earlier_ones(known: set[Status], until: Status, reached: bool) -> None:
    assert has_reached(known, until) is reached


@pytest.mark.parametrize(("ms", "words"), [(None, ""), (0, "+0 ms"), (999, "+999 ms"), (1840, "+1.84 s")])
def test_durations_are_short(ms: int | None, words: str) -> None:
    assert duration(ms) == words


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8080"), ("0.0.0.0", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080")],
)
def test_the_api_is_reached_where_it_listens(host: str, url: str) -> None:
    assert local_url(host, Settings().port) == url


def test_curl_lines_are_for_a_new_user_each_time() -> None:
    assert curl_lines("http://x") != curl_lines("http://x")
    assert len(curl_lines("http://x")) == 3


def test_run_starts_what_is_at_its_default_and_leaves_the_rest_to_its_owner(tmp_path: Path) -> None:
    stack = Stack(StackConfig(folder=tmp_path, jars_folder=tmp_path, kafka_port=19092, cassandra_port=19042))
    settings, ours = parts_of(Settings(), stack)
    assert (settings.kafka, settings.cassandra_port, ours) == ("127.0.0.1:19092", 19042, ["kafka", "cassandra"])
    settings, ours = parts_of(Settings(kafka="broker:9092", cassandra=("ring-1",)), stack)
    assert (settings.kafka, settings.cassandra, ours) == ("broker:9092", ("ring-1",), [])


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "::1", "port": 81}, "http://[::1]:81"),
        ({"host": "0.0.0.0"}, ""),
        ({"host": "::"}, ""),
        ({"public_url": "https://chat.example"}, "https://chat.example"),
    ],
)
def test_run_tells_its_processes_what_links_begin_with(changes: dict[str, Any], url: str) -> None:
    assert with_public_url(Settings(**changes)).public_url == url


@pytest.mark.parametrize(
    "url", ["chat.example", "ftp://chat.example", "https://", "https://a:b", "https://a/?x=1", "https://["]
)
def test_a_public_address_that_no_link_can_begin_with_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting, match="CHAT4ALL_PUBLIC_URL"):
        check_public_url(url)


def test_version_is_that_of_the_package(run: Callable[..., Result]) -> None:
    assert click.unstyle(run("version").output).startswith("chat4all ")


@pytest.mark.parametrize("words", ["upload ", "send --file ", "download x -o "])
def test_names_of_files_are_completed(run: Callable[..., Result], words: str) -> None:
    count = len(words.split())
    environ = {"_CHAT4ALL_COMPLETE": "bash_complete", "COMP_WORDS": f"chat4all {words}", "COMP_CWORD": str(count + 1)}
    result = CliRunner().invoke(main, env=environ, prog_name="chat4all")
    assert result.output.splitlines() == ["file,"]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1_500_000, "1.4 MiB"),
        (2**31, "2.0 GiB"),
        (5 * 2**40, "5120.0 GiB"),
    ],
)
def test_sizes_are_short(size: int, words: str) -> None:
    assert size_text(size) == words


@pytest.mark.parametrize(
    ("words", "has_conversation", "meant"),
    [
        ((), True, (None, "")),
        (("whatsapp:+5511999999999",), False, ("whatsapp:+5511999999999", "")),
        (("whatsapp:+5511999999999",), True, ("whatsapp:+5511999999999", "")),
        (("019AAF33-1c2d-7e3f-8a4b-5c6d7e8f9a0b",), True, ("019AAF33-1c2d-7e3f-8a4b-5c6d7e8f9a0b", "")),
        (("telegram: see this",), True, (None, "telegram: see this")),
        (("look",), True, (None, "look")),
        (("look",), False, ("look", "")),
        (("telegram:@ana", "look"), True, ("telegram:@ana", "look")),
    ],
)
def test_one_word_with_a_file_is_the_recipient_if_it_looks_like_one(
    words: tuple[str, ...], has_conversation: bool, meant: tuple[str | None, str]
) -> None:
    assert recipient_and_text(words, has_other=True, has_conversation=has_conversation) == meant


@pytest.mark.parametrize(
    ("status", "counts", "expected"),
    [
        ("READ", None, ""),
        ("READ", {"ACCEPTED": 0, "SENT": 0, "DELIVERED": 0, "READ": 3, "FAILED": 0}, ""),
        ("READ", {"ACCEPTED": 0, "SENT": 0, "DELIVERED": 0, "READ": 1, "FAILED": 255}, "(1 of 256, 255 failed)"),
        ("SENT", {"ACCEPTED": 0, "SENT": 3, "DELIVERED": 2, "READ": 1, "FAILED": 0}, "(3 of 6, 2 delivered, 1 read)"),
    ],
)
def test_a_word_says_for_how_many_it_is_true(status: str, counts: dict[str, int] | None, expected: str) -> None:
    assert shares({"status": status, "counts": counts}) == expected
