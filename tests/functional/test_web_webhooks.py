"""The door for providers: what is stored, what is refused, and what an answer tells."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.kafka.codec import decode
from domain.inbound import WebhookReceived
from fakes.message_log import NOW_MS
from fakes.webhooks import SIGNATURE, FakeWebhooks, signature
from support.api import Api, running

ACCOUNTS = """
[[whatsapp]]
name = "shop"
app_secret_env = "SHOP_SECRET"
verify_token_env = "SHOP_VERIFY"
[[whatsapp]]
name = "twin"
app_secret_env = "SHOP_SECRET"
[[whatsapp]]
name = "help"
app_secret_env = "HELP_SECRET"
[[whatsapp]]
name = "mute"
app_secret_env = "MUTE_SECRET"
[[whatsapp]]
name = "pretend"
"""
SECRETS = {"SHOP_SECRET": "s3cret-of-the-shop", "SHOP_VERIFY": "v3rify", "HELP_SECRET": "s3cret-of-help"}
TOPIC = "whatsapp-webhooks"
BODY = b'{ "elements": [] }'


@pytest_asyncio.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    file = tmp_path / "accounts.toml"
    file.write_text(ACCOUNTS)
    protocol = FakeWebhooks()
    async with running(Api(webhook_protocols={"whatsapp": protocol}, accounts=str(file))) as api:
        yield api


async def post(api: Api, path: str, body: bytes = BODY, secret: str = "s3cret-of-help") -> int:
    answer = await api.call("POST", path, data=body, headers={SIGNATURE: signature(body, secret), "X-Other": "1"})
    assert secret not in await answer.text()
    assert signature(body, secret) not in await answer.text()
    return answer.status


def stored(api: Api) -> list[tuple[bytes | None, WebhookReceived]]:
    return [(record.key, decode(record.value, WebhookReceived)) for record in api.record_log.values(TOPIC)]


async def test_a_signed_body_is_stored_as_it_came_before_it_is_answered(api: Api) -> None:
    body = b'{"elements":[]}\xff \n not even JSON'
    assert await post(api, "/webhooks/whatsapp/help", body) == 200
    kept = {SIGNATURE: signature(body, "s3cret-of-help")}
    assert stored(api) == [(b"help", WebhookReceived("help", kept, body, NOW_MS, ("help",)))]


async def test_without_an_account_in_the_path_the_one_whose_secret_signs_is_meant(api: Api) -> None:
    assert await post(api, "/webhooks/whatsapp") == 200
    assert [record.account for _, record in stored(api)] == ["help"]


async def test_accounts_that_share_a_secret_are_told_apart_later_and_keep_one_partition(api: Api) -> None:
    assert await post(api, "/webhooks/whatsapp", secret="s3cret-of-the-shop") == 200
    assert [(key, record.account) for key, record in stored(api)] == [(b"shop", "")]
    assert await post(api, "/webhooks/whatsapp/shop", secret="s3cret-of-the-shop") == 200
    [first, second] = [record.signers for _, record in stored(api)]
    assert first == second
    assert (len(first), first[0], "help" in first) == (2, "shop", False)


@pytest.mark.parametrize("path", ["/webhooks/whatsapp/help", "/webhooks/whatsapp"])
async def test_a_wrong_signature_is_401_and_nothing_is_stored(api: Api, path: str) -> None:
    assert await post(api, path, secret="another") == 401
    answer = await api.call("POST", path, data=BODY)
    assert answer.status == 401
    assert stored(api) == []


async def test_the_secret_of_another_account_opens_no_door(api: Api) -> None:
    assert await post(api, "/webhooks/whatsapp/shop") == 401


@pytest.mark.parametrize("path", ["/webhooks/whatsapp/nobody", "/webhooks/whatsapp/pretend", "/webhooks/pigeon/help"])
async def test_nobody_unknown_receives_webhooks(api: Api, path: str) -> None:
    assert await post(api, path) == 404


async def test_an_unknown_account_costs_a_signature_too(api: Api) -> None:
    protocol = api.webhook_protocols["whatsapp"]
    await post(api, "/webhooks/whatsapp/nobody")
    assert protocol.checked == 1
    await post(api, "/webhooks/whatsapp/help")
    assert protocol.checked == 2


async def test_while_kafka_is_away_it_is_503_and_the_provider_posts_again(api: Api) -> None:
    api.record_log.available = False
    assert await post(api, "/webhooks/whatsapp/help") == 503
    api.record_log.available = True
    assert await post(api, "/webhooks/whatsapp/help") == 200
    assert len(stored(api)) == 1


async def test_an_account_without_its_secret_is_503_and_the_log_says_what_to_do(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    assert await post(api, "/webhooks/whatsapp/mute") == 503
    assert await post(api, "/webhooks/whatsapp/mute") == 503
    (line,) = [record.getMessage() for record in caplog.records if "webhooks of" in record.getMessage()]
    assert "mute" in line
    assert "MUTE_SECRET is not set" in line


async def test_the_body_may_be_longer_than_others_and_has_its_own_limit(api: Api) -> None:
    assert await post(api, "/webhooks/whatsapp/help", b"x" * (4 << 20)) == 200
    assert len(stored(api)[0][1].raw) == 4 << 20
    assert await post(api, "/webhooks/whatsapp/help", b"x" * ((4 << 20) + 1)) == 413


async def test_a_verification_request_gets_its_challenge_for_the_right_token_only(api: Api) -> None:
    for path in ("/webhooks/whatsapp/shop", "/webhooks/whatsapp"):
        right = await api.call("GET", path, params={"challenge": "117", "token": "v3rify"})
        assert (right.status, right.content_type, await right.text()) == (200, "text/plain", "117")
        assert (await api.call("GET", path, params={"challenge": "117", "token": "wrong"})).status == 403
        assert (await api.call("GET", path, params={"challenge": "117", "token": ""})).status == 403
    assert (await api.call("GET", "/webhooks/whatsapp/help", params={"challenge": "1", "token": ""})).status == 403
    assert (await api.call("GET", "/webhooks/whatsapp/nobody", params={"challenge": "1"})).status == 404


async def test_who_posts_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    limited = Api(rate_limit_webhooks_per_second=1, rate_limit_webhooks_burst=2)
    async with running(limited) as api:
        statuses = [(await api.call("POST", "/webhooks/telegram", data=b"{}")).status for _ in range(3)]
        assert statuses == [404, 404, 429]
        assert (await api.call("GET", "/webhooks/telegram")).status == 429
