"""The file of accounts: what it declares, and a clear sentence with its place for each fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from app.accounts import MOST_BYTES, InvalidAccounts, account_secret, load_accounts, parse_accounts
from app.settings import Settings
from chat4all.cli.main import main
from domain.accounts import Account
from domain.breaker import BreakerRules
from domain.recipients import CHANNELS

PATH = Path("etc/accounts.toml")
EXAMPLE = """\
# ours
[[whatsapp]]
name = "main"
driver = "simulated"
per_second = 80
burst = 160
pair_seconds = 6
pair_burst = 45
token_env = "WA_TOKEN"
app_secret_file = "secrets/wa-app"

[[whatsapp]]
name = "bulk"
per_second = 20.5
resend_unknown = true
breaker = { open_seconds = 5, failure_share = 0.25 }

[[telegram]]
name = "bot"
in_flight = 30
inbox = "ana,bruno"
stop_words = "stop"
fallback_template = "hello:pt_BR"
"""


def parse(text: str) -> dict[str, tuple[Account, ...]]:
    return dict(parse_accounts(text.encode(), PATH))


def fault_of(text: str) -> str:
    with pytest.raises(InvalidAccounts) as caught:
        parse(text)
    return str(caught.value)


def test_accounts_are_what_the_file_says_and_the_first_one_comes_first() -> None:
    accounts = parse(EXAMPLE)
    assert accounts["whatsapp"] == (
        Account(
            channel="whatsapp",
            name="main",
            per_second=80.0,
            burst=160,
            pair_seconds=6.0,
            pair_burst=45,
            options={"token_env": "WA_TOKEN", "app_secret_file": "etc/secrets/wa-app"},
        ),
        Account(
            channel="whatsapp",
            name="bulk",
            per_second=20.5,
            resend_unknown=True,
            breaker=BreakerRules(open_seconds=5, failure_share=0.25),
        ),
    )
    assert accounts["telegram"] == (
        Account(
            channel="telegram",
            name="bot",
            in_flight=30,
            options={"inbox": "ana,bruno", "stop_words": "stop", "fallback_template": "hello:pt_BR"},
        ),
    )
    assert accounts["instagram"] == (Account(channel="instagram"),)


def test_without_a_file_each_channel_has_one_simulated_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    accounts = load_accounts(Settings())
    assert accounts == {channel: (Account(channel=channel),) for channel in CHANNELS}
    assert {(a.name, a.driver) for (a,) in accounts.values()} == {("default", "simulated")}


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidAccounts, match=r"CHAT4ALL_ACCOUNTS=.*mine\.toml: there is no such file"):
        load_accounts(Settings(accounts=str(tmp_path / "mine.toml")))
    with pytest.raises(InvalidAccounts, match="directory"):
        load_accounts(Settings(accounts=str(tmp_path)))
    (tmp_path / "mine.toml").write_text(EXAMPLE)
    assert [a.name for a in load_accounts(Settings(accounts=str(tmp_path / "mine.toml")))["whatsapp"]] == [
        "main",
        "bulk",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[whatsap]]\n", "line 1: unknown channel 'whatsap': expected one of whatsapp, instagram, telegram"),
        (
            "\n[whatsapp]\nname='a'\n",
            "line 2: whatsapp: each account begins with [[whatsapp]], in two pairs of brackets",
        ),
        (
            "[[whatsapp]]\nper_secnd = 5\n",
            "line 2: [[whatsapp]] 1: unknown key 'per_secnd': did you mean 'per_s",
        ),
        ("[[whatsapp]]\nchannel = 'x'\n", "line 2: [[whatsapp]] 1: unknown key 'channel'"),
        ("[[whatsapp]]\nburst = 1.5\n", "line 2: [[whatsapp]] 1: burst=1.5: expected a whole number"),
        ("[[whatsapp]]\nburst = true\n", "line 2: [[whatsapp]] 1: burst=True: expected a whole number"),
        ("[[whatsapp]]\nname = 3\n", "line 2: [[whatsapp]] 1: name=3: expected a text"),
        ("[[whatsapp]]\nresend_unknown = 1\n", "line 2: [[whatsapp]] 1: resend_unknown=1: expected true or false"),
        ("[[whatsapp]]\n\nper_second = -1\n", "line 3: [[whatsapp]] 1: per_second=-1.0: expected 0 (no limit)"),
        ("[[whatsapp]]\nper_second = inf\n", "line 2: [[whatsapp]] 1: per_second=inf: expected 0 (no limit)"),
        ("[[whatsapp]]\nper_second = nan\n", "line 2: [[whatsapp]] 1: per_second=nan: expected 0 (no limit)"),
        ("[[whatsapp]]\npair_burst = 0\n", "line 2: [[whatsapp]] 1: pair_burst=0: expected 1 to 1,000,000"),
        (
            "[[whatsapp]]\ndriver = 'cloud'\n",
            "line 2: [[whatsapp]] 1: unknown driver: expected one of simulated, provider, whatsapp",
        ),
        ("[[whatsapp]]\ndriver = []\n", "line 2: [[whatsapp]] 1: unknown driver: expected one of simu"),
        ("[[telegram]]\nurl = 'http://x'\n", "line 2: [[telegram]] 1: unknown key 'url'"),
        (
            "[[telegram]]\nstop_word = 'x'\n",
            "line 2: [[telegram]] 1: unknown key 'stop_word': did you mean 'stop_words'?",
        ),
        (
            "[[whatsapp]]\nname = 'a'\n[[whatsapp]]\nburst = 2\nname = 'a'\n",
            "line 5: whatsapp has a second account named 'a'",
        ),
        ("[[whatsapp]]\nbreaker = 5\n", "line 2: [[whatsapp]] 1: breaker: expected a table, such as"),
        (
            "[[whatsapp]]\n[whatsapp.breaker]\nopen_second = 5\n",
            "line 2: [[whatsapp]] 1: unknown key 'open_second' of breaker: did you mean 'open_seconds'?",
        ),
        (
            "[[whatsapp]]\nbreaker.open_seconds = 'x'\n",
            "line 2: [[whatsapp]] 1: breaker: open_seconds='x': expected",
        ),
        (
            "[[whatsapp]]\nbreaker.slow_share = 2\n",
            "line 2: [[whatsapp]] 1: breaker: slow_share=2: expected",
        ),
        ("[[whatsapp]]\nname = \n", "not TOML: Invalid value (at line 2, column 8)"),
        (
            "[[whatsapp]]\ntoken_env = 'A'\ntoken_file = 'b'\n",
            "line 3: [[whatsapp]] 1: token_env and token_file",
        ),
        ("[[whatsapp]]\ntoken_file = ''\n", "line 2: [[whatsapp]] 1: token_file: expected the path of a file"),
        ("[[whatsapp]]\ntokn_env = 'A'\n", "line 2: [[whatsapp]] 1: unknown key 'tokn_env': did you mean 'token_env"),
    ],
)
def test_each_fault_is_a_sentence_with_its_place(text: str, sentence: str) -> None:
    assert fault_of(text).startswith(f"etc/accounts.toml{', ' if sentence.startswith('line') else ': '}{sentence}")


def test_all_faults_are_told_together() -> None:
    lines = fault_of("[[whatsapp]]\nburst = 'x'\nfoo = 1\n[[sms]]\n").splitlines()
    assert [line.split(":")[0] for line in lines] == [f"etc/accounts.toml, line {n}" for n in (2, 3, 4)]


@pytest.mark.parametrize(
    "key",
    ["token", "secret", "password", "key", "api_key", "access_token", "app-secret", "TOKEN", "token_en"],
)
@pytest.mark.parametrize("value", ["EAAGm0PX4ZCpsBA", "123456:hush"])
def test_a_secret_in_the_file_is_refused_and_not_shown(key: str, value: str) -> None:
    fault = fault_of(f'[[whatsapp]]\n{key} = "{value}"\n')
    assert f"{key}: a secret does not belong into this file; write {key}_env" in fault
    assert value not in fault


@pytest.mark.parametrize("value", ["EAAGm0PX4ZCpsBa", "123456:HUSH", "", "a b"])
def test_a_secret_in_place_of_a_variables_name_is_refused_and_not_shown(value: str) -> None:
    fault = fault_of(f'[[whatsapp]]\ntoken_env = "{value}"\n')
    assert "token_env: expected the name of an environment variable, in upper case" in fault
    assert not value or value not in fault


def test_secrets_are_read_when_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "wa").write_text("from a file\n")
    (tmp_path / "empty").touch()
    text = "[[whatsapp]]\ntoken_env='WA_TOKEN'\napp_secret_file='wa'\na_key_file='empty'\nb_key_file='none'\n"
    (account,) = parse_accounts(text.encode(), tmp_path / "accounts.toml")["whatsapp"]
    assert account_secret(account, "token", {"WA_TOKEN": "hush"}) == "hush"
    assert account_secret(account, "app_secret", {}) == "from a file"
    for name, sentence in {
        "token": "the variable WA_TOKEN is not set",
        "a_key": "empty is empty",
        "b_key": "none cannot be read",
        "c_key": "the account default of whatsapp needs c_key_env or c_key_file",
    }.items():
        with pytest.raises(InvalidAccounts, match=sentence):
            account_secret(account, name, {})


def test_a_file_is_bounded_and_must_be_text() -> None:
    with pytest.raises(InvalidAccounts, match="longer than"):
        parse_accounts(b"#" * (MOST_BYTES + 1), PATH)
    with pytest.raises(InvalidAccounts, match="byte 2 is not UTF-8"):
        parse_accounts(b"# \xff", PATH)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "x"]), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["name", "burst", "driver", "breaker", "token", "token_env", "x_file", "url", "per_second", "", "é"]
)


@given(st.lists(st.tuples(KEYS, VALUES.filter(lambda value: value is not None)), max_size=4))
def test_any_file_is_read_or_refused_in_words(pairs: list[tuple[str, Any]]) -> None:
    table = "\n".join(f"{json.dumps(key)} = {_toml(value)}" for key, value in dict(pairs).items())
    try:
        told = "".join(parse(f"[[telegram]]\n{table}\n"))
    except InvalidAccounts as error:
        told = str(error)
    assert told == "".join(CHANNELS) or told.startswith(str(PATH))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value if v is not None) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def test_config_shows_the_accounts_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAT4ALL_ACCOUNTS")
    (tmp_path / "accounts.toml").write_text(EXAMPLE)
    environ = {"WA_TOKEN": "hush-hush"}
    text = CliRunner().invoke(main, ["config"], env=environ).output
    assert "\n# account channel=whatsapp name=main per_second=80.0 burst=160 pair_seconds=6.0 " in text
    assert " token_env=WA_TOKEN " in text
    assert "hush-hush" not in text
    document = json.loads(CliRunner().invoke(main, ["config", "--json"], env=environ).output)
    assert [a["name"] for a in document["channel_accounts"]] == ["main", "bulk", "default", "bot"]
    (tmp_path / "accounts.toml").write_text("[[whatsapp]]\ntoken = 'hush-hush'\n")
    result = CliRunner().invoke(main, ["config"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: accounts.toml, line 2: [[whatsapp]] 1: token: a secret does not belong")
    assert "hush-hush" not in result.output


def test_the_page_shows_a_file_that_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text()
    examples = page.split("```toml\n")[1:]
    assert examples
    for example in examples:
        parse(example.split("```")[0])


@pytest.mark.parametrize("command", [["api"], ["worker"], ["run"]])
def test_nothing_is_started_and_started_again_with_a_fault_in_the_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAT4ALL_ACCOUNTS")
    (tmp_path / "accounts.toml").write_text("[[whatsapp]]\nburst = 'x'\n")
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        1,
        "Error: accounts.toml, line 2: [[whatsapp]] 1: burst='x': expected a whole number",
    )


@pytest.mark.parametrize("value", ["2027-01-31", '"2027-01-31"', "2027-01-31T09:00:00Z"])
def test_the_day_on_which_credentials_end_is_a_day_of_toml_or_a_text(value: str) -> None:
    (account,) = parse(f"[[whatsapp]]\ntoken_expires = {value}\n")["whatsapp"]
    assert account.token_expires == "2027-01-31"
    assert account.token_expires_seconds == 1_801_353_600


def test_without_that_day_nothing_is_known_of_it() -> None:
    assert Account(channel="whatsapp").token_expires_seconds is None


@pytest.mark.parametrize("value", ['"next week"', '"2027-02-30"', "12"])
def test_another_text_is_no_day(value: str) -> None:
    with pytest.raises(InvalidAccounts, match=r"line 2: .*token_expires"):
        parse(f"[[whatsapp]]\ntoken_expires = {value}\n")
