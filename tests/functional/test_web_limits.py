"""Rate limits, header limits, CORS, and the headers that every answer carries."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.logs import JsonFormatter, TextFormatter
from app.settings import InvalidSetting, Settings
from support.api import Api, StartApi

PAGE = "https://chat.example.org"


@pytest.fixture
def limited(start_api: StartApi) -> Callable[..., Any]:
    """An ``api`` with rate limits whose clock stands still; ``api.later(seconds)`` moves it."""

    @asynccontextmanager
    async def start(**settings: object) -> AsyncIterator[Any]:
        async with start_api(**settings) as api:
            now = [1_000.0]
            limits = api.services.request_limits
            limits._users._clock = limits._addresses._clock = lambda: now[0]
            api.later = lambda seconds: now.__setitem__(0, now[0] + seconds)
            yield api

    return start


async def test_a_user_has_so_many_requests_and_is_told_how_many_are_left(limited: Api) -> None:
    async with limited(rate_limit_user_per_second=0.5, rate_limit_user_burst=3) as api:
        token, other = await api.somebody(), await api.somebody()
        left = []
        for _ in range(3):
            answer = await api.call("GET", "/v1/users/me", token=token)
            assert (answer.status, answer.headers["RateLimit-Limit"]) == (200, "3")
            left.append((answer.headers["RateLimit-Remaining"], answer.headers["RateLimit-Reset"]))
        assert left == [("2", "2"), ("1", "4"), ("0", "6")]
        refused = await api.call("GET", "/v1/users/me", token=token)
        assert refused.status == 429
        assert (refused.headers["Retry-After"], refused.headers["RateLimit-Remaining"]) == ("2", "0")
        assert (await refused.json(content_type=None))["type"].endswith(":rate-limited")
        assert (await api.call("GET", "/v1/users/me", token=other)).status == 200
        api.later(1.9)
        assert (await api.call("GET", "/v1/users/me", token=token)).status == 429
        api.later(0.2)
        assert (await api.call("GET", "/v1/users/me", token=token)).status == 200
        assert "chat4all_requests_rate_limited 2\n" in await (await api.call("GET", "/metrics")).text()


async def test_an_error_counts_and_tells_what_is_left_too(limited: Api) -> None:
    async with limited(rate_limit_user_per_second=1, rate_limit_user_burst=9) as api:
        token = await api.somebody()
        answer = await api.call("POST", "/v1/messages", {}, token)
        assert (answer.status, answer.headers["RateLimit-Remaining"]) == (400, "8")


async def test_a_batch_counts_as_its_messages(limited: Api) -> None:
    async with limited(rate_limit_user_per_second=1, rate_limit_user_burst=10) as api:
        token = await api.somebody()
        answer = await api.call("POST", "/v1/messages/batch", [api.message()] * 7, token)
        assert (answer.status, answer.headers["RateLimit-Remaining"]) == (207, "3")
        assert (await api.call("POST", "/v1/messages/batch", [api.message()] * 7, token)).status == 429
        assert len(api.log.records) == 7


async def test_a_message_counts_as_its_recipients(limited: Api) -> None:
    async with limited(rate_limit_user_per_second=1, rate_limit_user_burst=100) as api:
        token = await api.somebody()
        body = {"conversation_id": "c-1", "participants": [f"telegram:{100_000 + n}" for n in range(40)]}
        assert (await api.call("POST", "/v1/conversations", body, token)).status == 201
        to_all = api.message(recipient_id=...)
        sent = [await api.call("POST", "/v1/messages", to_all, token) for _ in range(2)]
        left = [answer.headers["RateLimit-Remaining"] for answer in sent]
        assert left == ["59", "19"]
        refused = await api.call("POST", "/v1/messages", to_all, token)
        assert (refused.status, refused.headers["RateLimit-Remaining"]) == (429, "18")
        assert len(api.log.records) == 2
        api.later(1_000)
        keyed = {"Idempotency-Key": "k"}
        for left_then in ("60", "59"):  # what was accepted before costs no more than the request
            answer = await api.call("POST", "/v1/messages", to_all, token, headers=keyed)
            assert (answer.status, answer.headers["RateLimit-Remaining"]) == (202, left_then)
        answer = await api.call("POST", "/v1/messages/batch", [to_all, api.message(), to_all], token)
        assert [one["status"] for one in (await answer.json())["results"]] == [202, 202, 429]


async def test_a_message_to_more_than_the_bucket_holds_waits_for_a_full_one(limited: Api) -> None:
    async with limited(rate_limit_user_per_second=1, rate_limit_user_burst=10) as api:
        token = await api.somebody()
        body = {"conversation_id": "c-1", "participants": [f"telegram:{100_000 + n}" for n in range(40)]}
        await api.call("POST", "/v1/conversations", body, token)
        api.later(1_000)
        statuses = [
            (await api.call("POST", "/v1/messages", api.message(recipient_id=...), token)).status for _ in range(2)
        ]
        assert statuses == [202, 429]


async def test_a_batch_larger_than_the_bucket_waits_for_a_full_one(limited: Api) -> None:
    async with limited(rate_limit_user_per_second=1, rate_limit_user_burst=5) as api:
        token = await api.somebody()
        for _ in range(2):
            answer = await api.call("POST", "/v1/messages/batch", [api.message()] * 50, token)
            assert (answer.status, answer.headers["RateLimit-Remaining"]) == (207, "0")
            api.later(4.5)
            assert (await api.call("POST", "/v1/messages/batch", [api.message()] * 50, token)).status == 429
            api.later(6)


async def test_an_address_is_limited_before_anything_else_is_looked_at(limited: Api) -> None:
    settings = {"rate_limit_address_per_second": 1, "rate_limit_address_burst": 2, "trusted_proxies": "127.0.0.0/8"}
    async with limited(**settings) as api:
        for status in (404, 401, 429):
            path = "/v1/users/me" if status != 404 else "/nowhere"
            answer = await api.call("GET", path, headers={"X-Forwarded-For": "192.0.2.7"})
            assert answer.status == status
            assert answer.headers["RateLimit-Limit"] == "2"
        assert (await api.call("GET", "/v1/users/me", headers={"X-Forwarded-For": "192.0.2.8"})).status == 401
        for path in ("/health", "/health/ready", "/metrics"):
            assert (await api.call("GET", path, headers={"X-Forwarded-For": "192.0.2.7"})).status == 200
        api.later(1)
        assert (await api.call("GET", "/v1/users/me", headers={"X-Forwarded-For": "192.0.2.7"})).status == 401


async def test_no_limit_means_no_headers(limited: Api) -> None:
    async with limited(rate_limit_user_per_second=0) as api:
        token = await api.somebody()
        for _ in range(50):
            answer = await api.call("GET", "/v1/users/me", token=token)
            assert answer.status == 200
            assert not any(name.startswith("RateLimit") for name in answer.headers)


def test_by_default_nobody_is_limited_who_sends_two_thousand_a_second() -> None:
    settings = Settings()
    assert settings.rate_limit_user_per_second >= 2_500
    assert settings.rate_limit_address_per_second == 0


@pytest.mark.parametrize(
    "settings", [{"rate_limit_user_per_second": -1.0}, {"rate_limit_address_burst": 0}, {"cors_origins": "example.org"}]
)
async def test_a_setting_that_cannot_be_is_refused_at_the_start(start_api: StartApi, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        start_api(**settings)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/metrics", 200),
        ("GET", "/nowhere", 404),
        ("PURGE", "/health", 405),
        ("POST", "/users", 400),
        ("GET", "/v1/users/me", 401),
    ],
)
async def test_every_answer_carries_the_security_headers(api: Api, method: str, path: str, status: int) -> None:
    answer = await api.call(method, path)
    assert answer.status == status
    check_security(answer.headers)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Strict-Transport-Security" not in answer.headers


def check_security(headers: object) -> None:
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "chat4all"
    for name in ("X-Content-Type-Options", "X-Request-Id", "Content-Type"):
        assert len(headers.getall(name)) == 1


async def test_what_is_not_http_carries_them_too(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"hello\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b"X-Content-Type-Options: nosniff" in answer
    assert b"X-Request-Id" in answer


async def test_what_is_for_one_user_is_not_stored_by_caches(api: Api) -> None:
    token = await api.somebody()
    for path, status in (("/v1/users/me", 200), ("/v1/conversations/none/messages", 404)):
        answer = await api.call("GET", path, token=token)
        assert (answer.status, answer.headers["Cache-Control"]) == (status, "no-store")
        check_security(answer.headers)


async def test_strict_transport_is_sent_if_set(start_api: StartApi) -> None:
    async with start_api(hsts_seconds=31_536_000) as api:
        assert (await api.call("GET", "/health")).headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("origins", [PAGE, f" https://other.example , {PAGE}/", "*"])
async def test_a_page_of_an_allowed_origin_may_ask_and_call(start_api: StartApi, origins: str) -> None:
    async with start_api(cors_origins=origins) as api:
        token = await api.somebody()
        asked = await api.call(
            "OPTIONS",
            "/v1/messages",
            headers={
                "Origin": PAGE,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,idempotency-key",
            },
        )
        allowed = "*" if origins == "*" else PAGE
        assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, allowed)
        assert asked.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
        assert {"Authorization", "Idempotency-Key"} <= set(asked.headers["Access-Control-Allow-Headers"].split(", "))
        assert int(asked.headers["Access-Control-Max-Age"]) > 0
        assert "Access-Control-Allow-Credentials" not in asked.headers
        for call_token, status in ((token, 202), (None, 401)):
            answer = await api.call("POST", "/v1/messages", api.message(), call_token, headers={"Origin": PAGE})
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, allowed)
            exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
            assert {"X-Request-Id", "Location", "Retry-After", "RateLimit-Remaining"} <= exposed
            assert (answer.headers.get("Vary") == "Origin") is (origins != "*")


@pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", "null", "http://chat.example.org"])
async def test_a_page_of_another_origin_may_not(start_api: StartApi, origin: str) -> None:
    async with start_api(cors_origins=PAGE) as api:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        asked = await api.call("OPTIONS", "/v1/messages", headers=headers)
        assert asked.status == 405
        answer = await api.call("GET", "/health", headers={"Origin": origin})
        for refused in (asked, answer):
            assert "Access-Control-Allow-Origin" not in refused.headers
            assert refused.headers["Vary"] == "Origin"


async def test_a_preflight_for_no_path_is_a_404_and_without_cors_a_405(start_api: StartApi, api: Api) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    assert (await api.call("OPTIONS", "/v1/messages", headers=headers)).status == 405
    async with start_api(cors_origins=PAGE) as other:
        assert (await other.call("OPTIONS", "/nowhere", headers=headers)).status == 404
        assert (await other.call("OPTIONS", "/v1/messages", headers={"Origin": PAGE})).status == 405


@pytest.mark.parametrize(
    ("settings", "head"),
    [
        ({"max_headers": 20}, b"".join(b"H%d: x\r\n" % n for n in range(30))),
        ({"max_header_bytes": 500}, b"Big: " + b"b" * 600 + b"\r\n"),
    ],
)
async def test_headers_are_limited_by_settings(start_api: StartApi, settings: dict[str, Any], head: bytes) -> None:
    async with start_api(**settings) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        answer = await reader.read()
        writer.close()
    assert answer[9:12] == b"400"
    assert b"application/problem+json" in answer
    if "max_header_bytes" in settings:
        assert b"more than 500 bytes" in answer


async def test_everything_logged_while_a_request_is_handled_names_it(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    token = await api.somebody()
    lines: list[dict[str, Any]] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(json.loads(formatter.format(record)))  # type: ignore[method-assign]
    formatter = JsonFormatter("api")
    somewhere = logging.getLogger("somewhere.below")
    look = api.users.by_id

    async def noisy(user_id: str) -> Any:
        somewhere.warning("looking")
        return await look(user_id)

    api.users.by_id = noisy
    logging.getLogger().addHandler(handler)
    try:
        for name in ("first", "second"):
            await api.call("GET", "/v1/users/me", token=token, headers={"X-Request-Id": name})
        api.log.available = False
        await api.call("POST", "/v1/messages", api.message(), token, headers={"X-Request-Id": "third"})
    finally:
        logging.getLogger().removeHandler(handler)
    looked = [line["request_id"] for line in lines if line["message"] == "looking"]
    assert looked == ["first", "second"]
    assert {"third"} == {line["request_id"] for line in lines if line["logger"] == "web.http.middlewares"}
    (summary,) = [line for line in lines if line.get("path") == "/v1/messages"]
    assert (summary["method"], summary["status"]) == ("POST", 503)


def test_lines_outside_of_requests_name_none() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "hello", None, None)
    assert "request_id" not in json.loads(JsonFormatter("core").format(record))
    assert TextFormatter("core").format(record).endswith("hello")
    record.request_id = "r-1"
    assert TextFormatter("core").format(record).endswith("hello request_id=r-1")
