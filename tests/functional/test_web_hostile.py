"""Nothing a client sends may cause a 500, nor make the server hold what it did not ask for."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.api import Api
from support.examples import examples
from web.http.json_bounds import MAX_VALUES

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "username",
    "password",
    "email",
    "conversation_id",
    "recipient_id",
    "recipient",
    "content",
    "sender_id",
    "file_id",
    "refresh_token",
    "platform",
    "value",
    "participants",
    "name",
    "description",
    "initial_members",
    "member_ids",
)
BODIES = JSON_VALUES | st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=6)
POST_PATHS = (
    "/users",
    "/auth/login",
    "/auth/refresh",
    "/v1/users/identities",
    "/v1/messages",
    "/v1/conversations",
    "/v1/groups",
)

MALFORMED = {
    "nothing": b"",
    "white space": b"  \n",
    "not JSON": b"hello",
    "a form": b"username=maria&password=x",
    "cut off": b'{"content": "hi',
    "a lone surrogate": b'{"content": "\\ud800"}',
    "a raw lone surrogate": b'{"content": "\xed\xa0\x80"}',
    "bad UTF-8": b'{"content": "\xff\xfe"}',
    "UTF-16": '{"content": "hi"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"content": "hi"}',
    "deep lists": b"[" * 30_000 + b"]" * 30_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "NaN": b'{"content": NaN}',
    "infinity": b'{"content": -Infinity}',
    "a raw control character": b'{"content": "a\x00b"}',
    "a trailing comma": b'{"content": "hi",}',
    "two documents": b"{} {}",
    "a list": b"[]",
    "a string": b'"hi"',
    "null": b"null",
    "a number": b"1e999",
}


@pytest.mark.parametrize("path", POST_PATHS)
async def test_malformed_json_is_a_400(api: Api, path: str) -> None:
    token = await api.somebody()
    for what, data in MALFORMED.items():
        answer = await api.call("POST", path, token=token, data=data)
        assert answer.status == 400, what
        assert (await answer.json(content_type=None))["type"].endswith(":malformed-json"), what


async def test_strange_but_valid_json_is_read_as_json_says(api: Api) -> None:
    token = await api.somebody()
    start = b'{"conversation_id":"c-1","recipient_id":"telegram:5","content":"a\\u0062c"'
    strange = (b',"content":"last"', b',"a":1e400', b',"a":' + b"9" * 5_000, b',"a":{"b":[[[]]]}', b',"":"\\u0000"')
    for more in (b"", *strange):
        answer = await api.call("POST", "/v1/messages", token=token, data=start + more + b"}")
        assert answer.status in (202, 400), more
    assert [record[0].content for record in api.log.records] == ["abc"]


@pytest.mark.parametrize("path", [*POST_PATHS, "/auth/logout"])
async def test_no_json_body_causes_a_500(api: Api, path: str) -> None:
    token = await api.somebody()
    loop = asyncio.get_running_loop()

    @settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
    @given(BODIES)
    def post(body: object) -> None:
        data = json.dumps(body).encode("utf-8", "surrogatepass")
        future = asyncio.run_coroutine_threadsafe(api.call("POST", path, token=token, data=data), loop)
        assert future.result(10).status < 500

    await asyncio.to_thread(post)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 202),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 202),
        ({"Content-Type": "application/json; charset=utf-16"}, 202),
        ({"Content-Type": "multipart/form-data"}, 202),
        ({"Content-Type": ";;==//"}, 202),
        ({"Content-Encoding": "identity"}, 202),
        ({"Content-Encoding": "br"}, 415),
        ({"Content-Encoding": "gzip, gzip"}, 415),
        ({"Content-Encoding": "\u00e9"}, 415),
        ({"X-Request-Id": "\u00e9" * 200}, 202),
        ({"traceparent": "\u00e9"}, 202),
        ({"Accept": "image/png"}, 202),
        ({"Expect": "miracles"}, 417),
    ],
)
async def test_strange_headers_are_read_with_good_will(api: Api, headers: dict[str, str], status: int) -> None:
    token = await api.somebody()
    body = json.dumps(api.message())
    answer = await api.call("POST", "/v1/messages", token=token, data=body, headers=headers)
    assert answer.status == status


async def test_a_compressed_bomb_is_refused_unopened(api: Api) -> None:
    token = await api.somebody()
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Encoding": "gzip"}
    answer = await api.call("POST", "/v1/messages", token=token, data=bomb[:60_000], headers=headers)
    assert answer.status == 415


async def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not(api: Api) -> None:
    token = await api.somebody()
    body = json.dumps(api.message()).encode()
    limit = api.settings.max_body_bytes
    assert (await api.call("POST", "/v1/messages", token=token, data=body.ljust(limit))).status == 202
    assert (await api.call("POST", "/v1/messages", token=token, data=body.ljust(limit + 1))).status == 413


async def exchange(api: Api, request: bytes, seconds: float = 5) -> bytes:
    """Send raw bytes, return all that comes back until the server closes (or answers and falls silent)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request)
    received = b""
    try:
        async with asyncio.timeout(seconds):
            while chunk := await reader.read(65_536):
                received += chunk
                head, end, body = received.partition(b"\r\n\r\n")
                if end and f"content-length: {len(body)}\r\n".encode() in head.lower() + b"\r\n":
                    break
    finally:
        writer.close()
    return received


@pytest.mark.parametrize("chunked", [False, True])
async def test_fifty_megabytes_are_refused_before_they_are_sent(api: Api, chunked: bool) -> None:
    token = await api.somebody()
    start = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
    if chunked:
        body = start + b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + b"x" * 65_536 + b"\r\n5\r\nxxxxx\r\n"
    else:
        body = start + b"Content-Length: 50000000\r\n\r\n" + b"x" * 1_000
    received = await exchange(api, body, seconds=1)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in received


async def test_a_client_that_sends_it_all_still_reads_the_answer(api: Api) -> None:
    token = await api.somebody()

    async def chunks() -> Any:
        for _ in range(800):
            yield b"x" * 65_536

    for data in (b"x" * 50_000_000, chunks()):
        answer = await api.call("POST", "/v1/messages", token=token, data=data)
        assert answer.status == 413


async def test_a_client_that_asks_first_is_told_before_it_sends(api: Api) -> None:
    token = await api.somebody()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
    head += b"Expect: 100-continue\r\n"
    assert (await exchange(api, head + b"Content-Length: 50000000\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
    with pytest.raises(TimeoutError):
        await exchange(api, head + b"Content-Length: 5\r\n\r\n", seconds=0.2)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0",
        b"GET /health HTTP/1.1\r\nHost: x\r\nBig: " + b"b" * 9_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n",
    ],
)
async def test_what_is_not_http_is_a_400_problem(api: Api, request_bytes: bytes) -> None:
    received = await exchange(api, request_bytes)
    assert received[9:12] == b"400", received
    assert b"application/problem+json" in received
    assert b"X-Request-Id" in received


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/nowhere", 404),
        (b"/caf\xe9\xff", 400),
        (b"/v1/messages/\xed\xa0\x80", 400),
        (b"/%00", 404),
        (b"/%zz", 404),
        (b"/v1//messages", 404),
        (b"//health", 404),
        (b"/health?\xff=\xfe", 400),
        (b"http://elsewhere/health", 200),
        (b"*", 400),
        (b"/%2e%2e/health", 404),
        (b"/../health", 404),
    ],
)
async def test_a_strange_path_is_at_worst_unknown(api: Api, target: bytes, status: int) -> None:
    received = await exchange(api, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert received[9:12] == b"%d" % status, received
    assert b"X-Request-Id" in received


@pytest.mark.parametrize("path", ["\u00e9", "%ED%A0%80", "%00", "a%2Fb", "%F0%9F%98%80", "x" * 2_000, "{}"])
async def test_a_strange_conversation_in_the_path_is_no_500(api: Api, path: str) -> None:
    token = await api.somebody()
    received = await exchange(
        api,
        f"GET /v1/conversations/{path}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode(),
    )
    assert received[9:12] in (b"400", b"404"), received


@pytest.mark.parametrize("path", ["\u00e9", "%ED%A0%80", "%00", "a%2Fb", "%F0%9F%98%80", "x" * 2_000, "{}"])
@pytest.mark.parametrize(
    "target",
    [
        "GET /v1/conversations/{odd}",
        "GET /v1/groups/{odd}",
        "DELETE /v1/groups/{odd}/members/x",
        "DELETE /v1/groups/{group}/members/{odd}",
        "DELETE /v1/groups/{group}/members/whatsapp:{odd}",
        "PUT /v1/groups/{group}/admins/{odd}",
        "GET /v1/conversations?cursor={odd}",
    ],
)
async def test_strange_ids_of_conversations_groups_and_members_are_no_500(api: Api, target: str, path: str) -> None:
    token = await api.somebody()
    group = (await (await api.call("POST", "/v1/groups", {"name": "g"}, token)).json())["group_id"]
    line = target.replace("{odd}", path).replace("{group}", group)
    received = await exchange(api, f"{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert received[9:12] in (b"400", b"404"), received


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/conversations", {"GET", "HEAD", "POST"}),
        ("GET", "/v1/groups", {"POST"}),
        ("GET", "/v1/groups/g/members", {"POST"}),
        ("DELETE", "/v1/groups/g/admins/u", {"PUT"}),
        ("DELETE", "/v1/messages", {"GET", "HEAD", "POST"}),
        ("GET", "/users", {"POST"}),
        ("PUT", "/auth/login", {"POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("PATCH", "/v1/messages/abc", {"GET", "HEAD"}),
        ("PURGE", "/metrics", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_a_405_that_says_which_are_right(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api.call(method, path)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(",")) == allowed


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages"),
        ("GET", "/v1/messages"),
        ("GET", "/v1/messages/x"),
        ("GET", "/v1/conversations/x/messages"),
        ("GET", "/v1/users/me"),
        ("POST", "/auth/logout"),
        ("POST", "/v1/users/identities"),
        ("GET", "/v1/users/identities"),
        ("DELETE", "/v1/users/identities/telegram/5"),
    ],
)
async def test_without_a_token_nothing_of_v1_answers(api: Api, method: str, path: str) -> None:
    assert (await api.call(method, path, data=b"not even JSON" if method == "POST" else None)).status == 401


@pytest.mark.parametrize(("given", "kept"), [("a.B_9-z", True), ("x" * 128, True), ("x" * 129, False), ("a b", False)])
async def test_a_sane_request_id_is_kept_and_another_is_replaced(api: Api, given: str, kept: bool) -> None:
    for path in ("/health", "/nowhere"):
        answer = await api.call("GET", path, headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is kept


async def test_a_bug_is_a_500_problem_that_tells_nothing(api: Api) -> None:
    token = await api.somebody()
    api.log.append = None
    answer = await api.call("POST", "/v1/messages", api.message(), token)
    assert answer.status == 500
    assert "NoneType" not in await answer.text()


async def test_a_slow_body_is_not_waited_for_for_ever(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.http.bodies.BODY_TIMEOUT_SECONDS", 0.05)
    received = await exchange(api, b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    assert received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("values", [b"{}," * 2_000_000, b"1," * 4_000_000, b"[" * 8_000_000], ids=["{}", "1", "["])
async def test_a_batch_of_countless_values_is_refused_before_it_is_parsed(api: Api, values: bytes) -> None:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/messages/batch", token=token, data=b'{"messages":[' + values + b"1]}")
    assert answer.status == 400
    assert f"more than {MAX_VALUES} values" in (await answer.json(content_type=None))["detail"]
