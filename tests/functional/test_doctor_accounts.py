"""`chat4all doctor` asks providers about accounts: each fault by its name, at the simulators of the providers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.settings import Settings
from channels.http import Answer, HttpClient
from channels.telegram.webhooks import ALLOWED_UPDATES
from cli import doctor_accounts
from cli.doctor import doctor
from cli.doctor_accounts import look_at_accounts, sends_of
from support.simulated import INSTAGRAM, MARIA, TELEGRAM, WHATSAPP, SimulatedWorld, simulated

ACCOUNTS = """
[[whatsapp]]
driver = "whatsapp"
phone_number_id = "{number_id}"
waba_id = "102290129340398"
base_url = "{url}/graph/v26.0"
token_env = "WA_TOKEN"
[[instagram]]
driver = "instagram"
ig_id = "17841405822304914"
base_url = "{url}/graph/v25.0"
token_env = "IG_TOKEN"
[[telegram]]
driver = "telegram"
base_url = "{url}"
token_env = "TG_TOKEN"
updates = "{updates}"
"""


class Looked:
    """Accounts at a simulator that are well, until a fault is planted."""

    def __init__(self, world: SimulatedWorld, folder: Path) -> None:
        self.world = world
        self._file = folder / "accounts.toml"
        self.declare()

    def declare(self, **changes: str) -> None:
        values = {"number_id": WHATSAPP.number_id, "url": self.world.url, "updates": "webhook", **changes}
        self._file.write_text(ACCOUNTS.format(**values))

    def settings(self) -> Settings:
        return Settings(accounts=str(self._file))

    async def faults(self, *sends: tuple[str, str]) -> list[tuple[str, str]]:
        found = await look_at_accounts(self.settings(), sends)
        assert all(fault.detail and fault.advice for _, fault in found)
        assert not any(token in str(found) for token in ("wrong-token", WHATSAPP.token, INSTAGRAM.token))
        return [(account, fault.name) for account, fault in found]


@pytest.fixture
async def looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Looked]:
    for name, account in (("WA", WHATSAPP), ("IG", INSTAGRAM), ("TG", TELEGRAM)):
        monkeypatch.setenv(f"{name}_TOKEN", account.token)
    async with simulated() as world:
        callback = world.simulator.accounts.callbacks[TELEGRAM.key]
        body = {"url": callback, "secret_token": TELEGRAM.secret_token, "allowed_updates": list(ALLOWED_UPDATES)}
        await world.call("POST", f"/bot{TELEGRAM.token}/setWebhook", json=body)
        yield Looked(world, tmp_path)


async def test_accounts_that_are_well_have_no_faults(looked: Looked) -> None:
    assert await looked.faults() == []
    assert (await looked.world.get("/counts"))["accounts"] == {}, "nothing was sent"


@pytest.mark.parametrize(
    ("variable", "account", "wrong"),
    [
        ("WA_TOKEN", "whatsapp/default", "wrong-token"),
        ("IG_TOKEN", "instagram/default", "wrong-token"),
        ("TG_TOKEN", "telegram/default", "123456789:wrong-token"),
    ],
)
async def test_a_token_that_ended(
    looked: Looked, monkeypatch: pytest.MonkeyPatch, variable: str, account: str, wrong: str
) -> None:
    monkeypatch.setenv(variable, wrong)
    assert await looked.faults() == [(account, "account-credentials")]


@pytest.mark.parametrize("account", [WHATSAPP, INSTAGRAM, TELEGRAM], ids=lambda one: one.channel)
async def test_a_webhook_that_nobody_subscribed(looked: Looked, account: object) -> None:
    looked.world.simulator.accounts.callbacks.pop(account.key)  # type: ignore[attr-defined]
    assert await looked.faults() == [(f"{account.channel}/default", "account-webhook")]  # type: ignore[attr-defined]


async def test_a_number_that_is_of_another_account(looked: Looked) -> None:
    looked.declare(number_id="999")
    assert await looked.faults() == [("whatsapp/default", "account-refused")]


async def test_a_bot_that_asks_for_too_few_updates(looked: Looked) -> None:
    body = {"url": looked.world.simulator.accounts.callbacks[TELEGRAM.key], "allowed_updates": ["message"]}
    await looked.world.call("POST", f"/bot{TELEGRAM.token}/setWebhook", json=body)
    assert await looked.faults() == [("telegram/default", "account-webhook-fields")]


async def test_a_bot_whose_last_webhook_failed(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = HttpClient.ask

    async def with_error(self: HttpClient, method: str, path: str, **more: object) -> object:
        answered = await ask(self, method, path, **more)  # type: ignore[arg-type]
        if path != "getWebhookInfo":
            return answered
        assert isinstance(answered, Answer)
        document = json.loads(answered.body)
        document["result"] |= {"last_error_date": 1_795_000_000, "last_error_message": "Wrong response: 503"}
        return replace(answered, body=json.dumps(document).encode())

    monkeypatch.setattr(HttpClient, "ask", with_error)
    found = await look_at_accounts(looked.settings())
    assert [(account, fault.name) for account, fault in found] == [("telegram/default", "account-webhook-errors")]
    assert "Wrong response: 503" in found[0][1].detail


async def test_a_bot_that_polls_beside_a_webhook(looked: Looked) -> None:
    looked.declare(updates="polling")
    assert await looked.faults() == [("telegram/default", "account-webhook")]


async def test_a_provider_that_cannot_be_reached(looked: Looked) -> None:
    looked.declare(url="http://127.0.0.1:9")
    assert {name for _, name in await looked.faults()} == {"account-unreachable"}


async def test_an_option_that_cannot_be_used(looked: Looked) -> None:
    looked.declare(number_id="+5511")
    assert await looked.faults() == [("whatsapp/default", "account-options")]


async def test_a_provider_that_is_silent_holds_nobody_up(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_accounts, "SECONDS", 0.0)
    began = time.monotonic()
    assert {name for _, name in await looked.faults()} == {"account-not-asked"}
    assert time.monotonic() - began < 5


async def test_a_message_goes_where_the_operator_says_and_a_refusal_is_told(looked: Looked) -> None:
    assert await looked.faults(("whatsapp/default", f"+{MARIA}")) == []
    [shown] = await looked.world.screen()
    assert shown["text"] == doctor_accounts.TEXT
    assert await looked.faults(("telegram/default", "12345")) == [("telegram/default", "account-message")]
    assert await looked.faults(("whatsapp/other", "+1")) == [("whatsapp/other", "account-message")]


async def test_a_secret_that_is_missing_is_told_once_elsewhere(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_TOKEN")
    assert await looked.faults() == []


def test_where_messages_go_has_one_form() -> None:
    assert sends_of(["whatsapp/main=+5511", "telegram/bot=telegram:@maria"]) == [
        ("whatsapp/main", "+5511"),
        ("telegram/bot", "telegram:@maria"),
    ]
    for wrong in ("whatsapp=+55", "whatsapp/main", "whatsapp/main="):
        with pytest.raises(ValueError, match="channel/account=address"):
            sends_of([wrong])
    assert CliRunner().invoke(doctor, ["--send", "x"]).exit_code == 2
