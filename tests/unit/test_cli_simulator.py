"""`chat4all simulator`: its accounts, its process beside the others, and its refusals."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.accounts import InvalidAccounts, account_secret, load_accounts
from app.settings import Settings
from channels import make_connector
from channels.simulated import Simulation
from chat4all.cli.main import main
from cli.simulated_accounts import business_accounts, with_simulated_accounts, write_accounts
from cli.workers import LOOPBACK, check_ports, port_of, simulator_spec
from simulator.accounts import DEFAULTS

URL = "http://127.0.0.1:8090"


def test_the_written_accounts_are_read_as_those_of_the_simulator(tmp_path: Path) -> None:
    settings = Settings(accounts=str(write_accounts(tmp_path, URL)))
    assert business_accounts(settings, 8090) == list(DEFAULTS)
    assert business_accounts(settings, 8091) == []


def test_each_written_account_has_a_real_connector(tmp_path: Path) -> None:
    settings = Settings(accounts=str(write_accounts(tmp_path, URL)))
    for channel, [account] in load_accounts(settings).items():
        connector = make_connector(
            account, Simulation((0, 0), (0, 0)), lambda name, account=account: account_secret(account, name)
        )
        assert type(connector).__name__.lower() == f"{channel}connector"


def test_an_account_of_the_real_provider_is_none_of_the_simulators(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text('[[telegram]]\ndriver = "telegram"\ntoken_env = "NO_SUCH_TOKEN"\n')
    assert business_accounts(Settings(accounts=str(file)), 8090) == []


def test_an_account_at_the_simulator_needs_its_token(tmp_path: Path) -> None:
    path = write_accounts(tmp_path, URL)
    (tmp_path / "whatsapp-default.token").unlink()
    with pytest.raises(InvalidAccounts, match="token"):
        business_accounts(Settings(accounts=str(path)), 8090)


def test_a_polled_bot_has_no_webhook(tmp_path: Path) -> None:
    path = write_accounts(tmp_path, URL)
    path.write_text(path.read_text() + 'updates = "polling"\n')
    assert [account.secret_token for account in business_accounts(Settings(accounts=str(path)), 8090)][-1] == ""


def test_a_file_of_the_users_own_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_simulated_accounts(Settings(), URL).accounts == ".chat4all/simulator/accounts.toml"
    named = replace(Settings(), accounts="mine.toml")
    assert with_simulated_accounts(named, URL) == named
    Path("accounts.toml").write_text("")
    assert with_simulated_accounts(Settings(), URL) == Settings()


def test_its_process_has_a_port_of_its_own_and_stops_last() -> None:
    spec = simulator_spec(Settings(), 18_090)
    assert (port_of(spec), spec.stage) == (18_090, 0)
    check_ports([spec])


def test_a_port_in_use_and_a_wrong_preset_are_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        in_use = CliRunner().invoke(main, ["simulator", "--port", str(taken.getsockname()[1])])
    assert in_use.exit_code == 1
    assert "cannot listen on" in in_use.output
    wrong = CliRunner().invoke(main, ["simulator", "--preset", "nonsense"])
    assert wrong.exit_code == 1
    assert "unknown preset 'nonsense'" in wrong.output
