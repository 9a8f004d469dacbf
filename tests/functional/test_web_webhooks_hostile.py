"""The door for providers before people with bad intentions: with the protocols of the real channels."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import logging
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.kafka.codec import MAX_WEBHOOK_BYTES, decode, encode
from domain.inbound import WebhookReceived
from support.api import Api, running
from support.examples import examples

ACCOUNTS = """
[[whatsapp]]
name = "shop"
driver = "whatsapp"
phone_number_id = "106"
token_env = "WA_TOKEN"
app_secret_env = "META_SECRET"
verify_token_env = "META_VERIFY"
[[instagram]]
name = "shop"
driver = "instagram"
token_env = "IG_TOKEN"
app_secret_env = "META_SECRET"
verify_token_env = "META_VERIFY"
[[telegram]]
name = "bot"
driver = "telegram"
token_env = "TG_TOKEN"
secret_token_env = "TG_SECRET"
[[telegram]]
name = "other"
driver = "telegram"
token_env = "TG_TOKEN"
secret_token_env = "TG_OTHER"
[[telegram]]
name = "polled"
driver = "telegram"
token_env = "TG_TOKEN"
updates = "polling"
"""
SECRETS = {
    "META_SECRET": "s3cret-of-the-app",
    "META_VERIFY": "v3rify-it",
    "TG_SECRET": "s3cret_of_the_bot",
    "TG_OTHER": "s3cret_of_another",
}
BODY = b'{"update_id":1}'
PACKED = gzip.compress(BODY, mtime=0)
TELEGRAM = "x-telegram-bot-api-secret-token"
META = "x-hub-signature-256"


@pytest_asyncio.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    file = tmp_path / "accounts.toml"
    file.write_text(ACCOUNTS)
    async with running(Api(accounts=str(file))) as api:
        yield api


def stored(api: Api, channel: str = "telegram") -> list[WebhookReceived]:
    return [decode(record.value, WebhookReceived) for record in api.record_log.values(f"{channel}-webhooks")]


def nothing_stored(api: Api) -> bool:
    return not any(stored(api, channel) for channel in ("telegram", "instagram", "whatsapp"))


def signed(body: bytes, secret: str = SECRETS["META_SECRET"]) -> dict[str, str]:
    return {META: "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()}


async def raw(api: Api, request: bytes) -> tuple[int, bytes]:
    """Send raw bytes; return the status of the answer (0 without one) and all of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request)
    received = b""
    try:
        async with asyncio.timeout(5):
            while chunk := await reader.read(65_536):
                received += chunk
                head, end, body = received.partition(b"\r\n\r\n")
                if end and f"content-length: {len(body)}\r\n".encode() in head.lower() + b"\r\n":
                    break
    finally:
        writer.close()
    return int(received.split()[1]) if received else 0, received


async def test_each_channel_takes_its_own_proof(api: Api) -> None:
    assert (
        await api.call("POST", "/webhooks/telegram/bot", data=BODY, headers={TELEGRAM: SECRETS["TG_SECRET"]})
    ).status == 200
    for channel in ("whatsapp", "instagram"):
        assert (await api.call("POST", f"/webhooks/{channel}/shop", data=BODY, headers=signed(BODY))).status == 200
        (kept,) = stored(api, channel)
        assert kept.headers == signed(BODY)
    assert [record.account for record in stored(api)] == ["bot"]


async def test_the_secret_of_telegram_is_not_stored_with_the_body(api: Api) -> None:
    await api.call("POST", "/webhooks/telegram/bot", data=BODY, headers={TELEGRAM: SECRETS["TG_SECRET"]})
    (record,) = stored(api)
    assert record.headers == {}
    assert SECRETS["TG_SECRET"].encode() not in encode(record)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/webhooks/telegram/bot", {}),
        ("/webhooks/telegram/bot", {TELEGRAM: ""}),
        ("/webhooks/telegram/bot", {TELEGRAM: "s3cret_of_the_bo"}),
        ("/webhooks/telegram/bot", {TELEGRAM: SECRETS["TG_OTHER"]}),
        ("/webhooks/telegram/bot", signed(BODY, SECRETS["TG_SECRET"])),
        ("/webhooks/telegram/other", {TELEGRAM: SECRETS["TG_SECRET"]}),
        ("/webhooks/whatsapp/shop", {TELEGRAM: SECRETS["META_SECRET"]}),
        ("/webhooks/whatsapp/shop", {META: f"sha256={SECRETS['META_SECRET']}"}),
        ("/webhooks/whatsapp/shop", {"x-hub-signature": "sha1=" + "0" * 40}),
        ("/webhooks/instagram/shop", signed(b"another body")),
        ("/webhooks/instagram/shop", {META: "sha256=" + "g" * 64}),
        ("/webhooks/instagram/shop", {META: "sha256=" + "é" * 64}),
        ("/webhooks/instagram", {META: "x" * 4_000}),
        ("/webhooks/telegram", {}),
    ],
)
async def test_no_proof_no_entry(api: Api, path: str, headers: dict[str, str]) -> None:
    answer = await api.call("POST", path, data=BODY, headers=headers)
    assert answer.status == 401
    text = await answer.text()
    assert not any(secret in text for secret in SECRETS.values())
    assert hmac.new(SECRETS["META_SECRET"].encode(), BODY, sha256).hexdigest() not in text
    assert nothing_stored(api)


async def test_an_account_without_a_secret_opens_to_nobody(api: Api) -> None:
    for headers in ({}, {TELEGRAM: ""}, {TELEGRAM: SECRETS["TG_SECRET"]}):
        answer = await api.call("POST", "/webhooks/telegram/polled", data=BODY, headers=headers)
        assert answer.status == 503
    assert nothing_stored(api)


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/telegram/BOT",
        "/webhooks/telegram/bot%00",
        "/webhooks/telegram/bot%0A",
        "/webhooks/telegram/%2e%2e%2fwhatsapp%2fshop",
        "/webhooks/telegram/..%2fbot",
        "/webhooks/telegram/bot/shop",
        "/webhooks/telegram/bot%20",
        "/webhooks/telegram/" + "a" * 5_000,
        "/webhooks/telegram/%ff%fe",
        "/webhooks/telegram//bot",
        "/webhooks/telegram/shop",
        "/webhooks/signal/bot",
        "/webhooks/internal",
        "/webhooks/..%2fv1%2fmessages",
        "/webhooks/",
        "/webhooks",
        "/webhooks/%F0%9F%98%80",
    ],
)
async def test_a_path_that_is_not_an_accounts_is_a_404(api: Api, path: str) -> None:
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\n{TELEGRAM}: {SECRETS['TG_SECRET']}\r\nContent-Length: 15\r\n\r\n"
    status, _ = await raw(api, request.encode() + BODY)
    assert status in (400, 404, 405, 414), status
    assert nothing_stored(api)


async def test_a_header_given_twice_proves_nothing_more_than_once(api: Api) -> None:
    for values in (("wrong", "wrong2"), ("", "")):
        lines = "".join(f"{TELEGRAM}: {value}\r\n" for value in values)
        request = f"POST /webhooks/telegram/bot HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: 15\r\n\r\n"
        status, _ = await raw(api, request.encode() + BODY)
        assert status == 401
    assert nothing_stored(api)


@pytest.mark.parametrize("values", [("wrong", SECRETS["TG_SECRET"]), (SECRETS["TG_SECRET"], "wrong")])
async def test_two_different_proofs_are_none(api: Api, values: tuple[str, str]) -> None:
    lines = "".join(f"{TELEGRAM}: {value}\r\n" for value in values)
    request = f"POST /webhooks/telegram/bot HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: 15\r\n\r\n"
    status, _ = await raw(api, request.encode() + BODY)
    assert status == 401
    assert nothing_stored(api)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ("Content-Length: 15\r\nContent-Length: 16", BODY, 400),
        ("Content-Length: 15\r\nTransfer-Encoding: chunked", b"f\r\n" + BODY + b"\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: gzip, chunked", b"f\r\n" + BODY + b"\r\n0\r\n\r\n", 501),
        ("Transfer-Encoding: chunked", b"zz\r\n" + BODY, 400),
        ("Transfer-Encoding: chunked", b"-5\r\n" + BODY, 400),
        ("Content-Length: -1", BODY, 400),
        ("Content-Length: 99999999999999999999", BODY, 400),
        ("Content-Length: 5000000", BODY, 413),
        (
            f"Content-Encoding: gzip\r\nContent-Length: {len(PACKED)}",
            PACKED,
            415,
        ),
        ("Content-Encoding: identity, gzip\r\nContent-Length: 15", BODY, 415),
    ],
)
async def test_a_body_that_is_not_one_is_refused(api: Api, headers: str, body: bytes, status: int) -> None:
    head = f"POST /webhooks/telegram/bot HTTP/1.1\r\nHost: x\r\n{TELEGRAM}: {SECRETS['TG_SECRET']}\r\n{headers}\r\n\r\n"
    got, answer = await raw(api, head.encode() + body)
    assert got == status or (status == 400 and got in (400, 413)), answer
    assert nothing_stored(api)


async def test_a_chunked_body_is_the_body_and_an_endless_one_ends(api: Api) -> None:
    head = f"POST /webhooks/telegram/bot HTTP/1.1\r\nHost: x\r\n{TELEGRAM}: {SECRETS['TG_SECRET']}\r\n"
    chunked = head.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
    status, _ = await raw(api, chunked + b"5\r\n" + BODY[:5] + b"\r\na\r\n" + BODY[5:] + b"\r\n0\r\n\r\n")
    assert status == 200
    assert [record.raw for record in stored(api)] == [BODY]
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    status, _ = await raw(api, chunked + chunk * 5)
    assert status == 413
    assert len(stored(api)) == 1


async def test_the_longest_body_fits_its_record(api: Api) -> None:
    body = b"x" * api.settings.webhooks_max_bytes
    answer = await api.call("POST", "/webhooks/telegram/bot", data=body, headers={TELEGRAM: SECRETS["TG_SECRET"]})
    assert answer.status == 200
    (record,) = stored(api)
    assert record.raw == body
    assert len(encode(record)) <= MAX_WEBHOOK_BYTES


@pytest.mark.parametrize(
    "query",
    [
        "",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=v3rify&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=wrong&hub.verify_token=v3rify-it&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=%ff&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=v3rify-it",
        "hub.mode[]=subscribe&hub.verify_token[]=v3rify-it&hub.challenge=1",
        "hub_mode=subscribe&hub_verify_token=v3rify-it&hub_challenge=1",
    ],
)
async def test_a_verification_request_needs_the_token(api: Api, query: str) -> None:
    status, answer = await raw(api, f"GET /webhooks/instagram/shop?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status == 403
    assert SECRETS["META_VERIFY"].encode() not in answer


async def test_a_challenge_is_plain_text(api: Api) -> None:
    query = "hub.mode=subscribe&hub.verify_token=v3rify-it&hub.challenge=%3Cscript%3E1%3C/script%3E"
    answer = await api.call("GET", f"/webhooks/instagram/shop?{query}")
    assert answer.status == 200
    assert answer.content_type == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert await answer.text() == "<script>1</script>"


async def test_telegram_has_no_verification_request(api: Api) -> None:
    query = f"hub.mode=subscribe&hub.verify_token={SECRETS['TG_SECRET']}&hub.challenge=1"
    assert (await api.call("GET", f"/webhooks/telegram/bot?{query}")).status == 403


async def test_no_secret_reaches_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for headers in ({TELEGRAM: SECRETS["TG_SECRET"]}, {TELEGRAM: "wrong"}, {}):
        await api.call("POST", "/webhooks/telegram/bot", data=BODY, headers=headers)
    query = "hub.mode=subscribe&hub.verify_token=v3rify-it&hub.challenge=1"
    await api.call("GET", f"/webhooks/instagram/shop?{query}")
    assert not any(secret in caplog.text for secret in SECRETS.values())


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]),
    channel=st.sampled_from(["telegram", "whatsapp", "instagram", "Telegram", "x"]),
    account=st.sampled_from(["", "/bot", "/shop", "/%2e", "/a%00", "/é"]),
    header=st.binary(max_size=40).map(lambda value: bytes(each for each in value if each not in b"\r\n\0")),
    body=st.binary(max_size=60),
)
async def test_whatever_comes_it_is_no_500(
    api: Api, method: str, channel: str, account: str, header: bytes, body: bytes
) -> None:
    request = f"{method} /webhooks/{channel}{account} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    request += f"Content-Length: {len(body)}\r\n".encode()
    request += TELEGRAM.encode() + b": " + header + b"\r\n" + META.encode() + b": " + header + b"\r\n\r\n" + body
    status, answer = await raw(api, request)
    assert 400 <= status < 500 or status == 204 or (status == 503 and b"secret" in answer), answer
    assert nothing_stored(api)
