"""What RFC 9110 and RFC 9112 ask of a server: expectations, codings, hosts, schemes, HEAD."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from aiohttp import FormData

from support.api import Api, StartApi
from web.files.links import host_of

BOUNDARY = "x-x-x"


async def first_answer(api: Api, request: bytes, seconds: float = 5) -> tuple[int, bytes, bytes]:
    """Send raw bytes; return status, head and body of the first answer that is final, in one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request)
    try:
        async with asyncio.timeout(seconds):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            body = b"" if request.startswith(b"HEAD") else await reader.readexactly(length)
    finally:
        writer.close()
    return int(head[9:12]), head, body


def request_of(line: str, token: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    host = () if any(header.startswith("Host:") for header in headers) or version == "1.0" else ("Host: x",)
    lines = [f"{line} HTTP/{version}", *host, f"Authorization: Bearer {token}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def a_file(api: Api, token: str, data: bytes = b"0123456789") -> str:
    form = FormData()
    form.add_field("conversation_id", "c-1")
    form.add_field("file", data, filename="ten.bin")
    return str((await (await api.call("POST", "/v1/files", token=token, data=form)).json())["file_id"])


async def test_head_with_a_range_tells_of_the_whole_file(api: Api) -> None:
    token = await api.somebody()
    path = f"/v1/files/{await a_file(api, token)}/content"
    for given in ("bytes=2-4", "bytes=50-", "bytes=-1"):
        status, head, _ = await first_answer(api, request_of(f"HEAD {path}", token, f"Range: {given}"))
        assert status == 200, given
        assert b"Content-Length: 10\r\n" in head
        assert b"Content-Range" not in head
        assert b"Accept-Ranges: bytes\r\n" in head
    assert (await api.call("GET", path, token=token, headers={"Range": "bytes=2-4"})).status == 206


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "BeArEr   ", "Bearer  "])
async def test_the_scheme_of_authorization_has_any_case_and_any_number_of_spaces(api: Api, scheme: str) -> None:
    token = await api.somebody()
    answer = await api.call("GET", "/v1/users/me", headers={"Authorization": f"{scheme}{token}"})
    assert answer.status == 200


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer ", "Bearerx y.y.y", "Basic {}", "{}", "Bearer\t{}", "Bearer {} {}", " "]
)
async def test_what_is_no_bearer_token_is_a_401(api: Api, given: str) -> None:
    value = given.replace("{}", await api.somebody())
    assert (await api.call("GET", "/v1/users/me", headers={"Authorization": value})).status == 401


async def test_a_client_of_http_1_0_that_expects_a_100_gets_none(api: Api) -> None:
    token = await api.somebody()
    body = json.dumps(api.message()).encode()
    headers = ("Expect: 100-continue", f"Content-Length: {len(body)}")
    status, _, _ = await first_answer(api, request_of("POST /v1/messages", token, *headers, body=body, version="1.0"))
    assert status == 202
    status, _, _ = await first_answer(api, request_of("POST /v1/messages", token, *headers, body=body))
    assert status == 100


@pytest.mark.parametrize("expect", ["100-continue, other", "x=y", "200-ok"])
async def test_an_expectation_that_nobody_knows_is_a_417(api: Api, expect: str) -> None:
    token = await api.somebody()
    status, _, _ = await first_answer(
        api, request_of("POST /v1/messages", token, f"Expect: {expect}", "Content-Length: 2")
    )
    assert status == 417


@pytest.mark.parametrize(
    "coding", ["gzip, chunked", "chunked, gzip", "deflate,chunked", "identity, chunked", "chunked, chunked", "gzip"]
)
@pytest.mark.parametrize("path", ["/v1/files", "/v1/messages", "/v1/uploads"])
async def test_a_transfer_coding_other_than_chunked_is_refused_and_nothing_is_stored(
    api: Api, coding: str, path: str
) -> None:
    token = await api.somebody()
    form = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\nc-1\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello\r\n--{BOUNDARY}--\r\n'
    ).encode()
    data = gzip.compress(form)
    head = [f"Transfer-Encoding: {coding}", f"Content-Type: multipart/form-data; boundary={BOUNDARY}"]
    if path == "/v1/uploads":
        kind, metadata = "application/offset+octet-stream", "conversation_id Yy0x"
        head = [
            f"Transfer-Encoding: {coding}",
            f"Content-Type: {kind}",
            "Tus-Resumable: 1.0.0",
            "Upload-Length: 5",
            f"Upload-Metadata: {metadata}",
        ]
    chunked = b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"
    status, _, _ = await first_answer(api, request_of(f"POST {path}", token, *head, body=chunked))
    assert status in (400, 501)
    assert api.file_store.objects == {}
    assert api.log.records == []


async def test_two_headers_of_transfer_codings_are_read_as_one(api: Api) -> None:
    token = await api.somebody()
    headers = ("Transfer-Encoding: gzip", "Transfer-Encoding: chunked")
    body = b"2\r\n{}\r\n0\r\n\r\n"
    status, _, answer = await first_answer(api, request_of("POST /v1/messages", token, *headers, body=body))
    assert status in (400, 501), answer


async def test_a_body_in_chunks_is_read_whatever_case_the_coding_has(api: Api) -> None:
    token = await api.somebody()
    body = json.dumps(api.message()).encode()
    chunked = b"%x;a=b\r\n" % len(body) + body + b"\r\n0\r\nX-Trailer: x\r\n\r\n"
    for coding in ("chunked", "Chunked", " chunked "):
        request = request_of("POST /v1/messages", token, f"Transfer-Encoding: {coding}", body=chunked)
        assert (await first_answer(api, request))[0] == 202


@pytest.mark.parametrize("method", ["POST /v1/files", "POST /v1/uploads", "POST /v1/messages"])
async def test_a_compressed_body_is_a_415_wherever_bodies_are_taken(api: Api, method: str) -> None:
    token = await api.somebody()
    headers = {
        "Content-Encoding": "gzip",
        "Content-Type": "multipart/form-data; boundary=x",
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "2",
        "Upload-Metadata": "conversation_id Yy0x",
    }
    verb, path = method.split()
    assert (await api.call(verb, path, token=token, data=gzip.compress(b"{}"), headers=headers)).status == 415
    assert api.file_store.objects == {}


# where links lead


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("Host: chat.example", "http://chat.example"),
        ("Host: chat.example:8080", "http://chat.example:8080"),
        ("Host: [::1]:8080", "http://[::1]:8080"),
        ("Host: CHAT.example.", "http://CHAT.example."),
        ("Host: 10.0.0.1", "http://10.0.0.1"),
        ("Host: a:b", ""),
        ("Host: a:99999", ""),
        ("Host: a b", ""),
        ("Host: a/b", ""),
        ("Host: a@evil.example", ""),
        ("Host: a#b", ""),
        ("Host: a\\b", ""),
        ('Host: a"b', ""),
        ("Host: \xe9.example", ""),
        ("Host: [::1", ""),
        ("Host: [::g]", ""),
        ("Host: a..b", ""),
        ("Host: %zz", ""),
        ("Host: ", ""),
        ("Host: " + "a" * 300, ""),
    ],
)
async def test_a_link_is_made_of_a_host_only_if_that_can_be_one(api: Api, host: str, base: str) -> None:
    token = await api.somebody()
    file_id = await a_file(api, token)
    status, _, body = await first_answer(api, request_of(f"GET /v1/files/{file_id}/download", token, host))
    assert status == 200, body
    assert json.loads(body)["download_url"].startswith(f"{base}/v1/files/{file_id}/link?")


async def test_a_client_of_http_1_0_without_a_host_gets_a_link_s_path(api: Api) -> None:
    token = await api.somebody()
    file_id = await a_file(api, token)
    request = request_of(f"GET /v1/files/{file_id}/download", token, version="1.0")
    status, _, body = await first_answer(api, request)
    assert (status, json.loads(body)["download_url"][:10]) == (200, "/v1/files/")


async def test_forwarded_headers_do_not_change_a_link(api: Api) -> None:
    token = await api.somebody()
    file_id = await a_file(api, token)
    more = ("Host: chat.example", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: ftp", "Forwarded: host=evil")
    _, _, body = await first_answer(api, request_of(f"GET /v1/files/{file_id}/download", token, *more))
    assert json.loads(body)["download_url"].startswith("http://chat.example/v1/")


async def test_with_a_public_address_no_host_counts(start_api: StartApi) -> None:
    async with start_api(public_url="https://chat.example/base/") as api:
        token = await api.somebody()
        file_id = await a_file(api, token)
        for host in ("Host: evil.example", "Host: a:b"):
            _, _, body = await first_answer(api, request_of(f"GET /v1/files/{file_id}/download", token, host))
            assert json.loads(body)["download_url"].startswith(f"https://chat.example/base/v1/files/{file_id}/link?")


@pytest.mark.parametrize("host", ["a" * 63 + ".b", "xn--caf-dma.example", "a_b", "1.2.3.4:0"])
def test_hosts_that_are_used_pass(host: str) -> None:
    assert host_of(host) == host


# conversations that no path can name


@pytest.mark.parametrize("conversation_id", [".", ".."])
async def test_a_conversation_that_no_path_can_name_is_not_begun(api: Api, conversation_id: str) -> None:
    token = await api.somebody()
    form = FormData()
    form.add_field("conversation_id", conversation_id)
    form.add_field("file", b"x", filename="x")
    answers = [
        await api.call("POST", "/v1/messages", api.message(conversation_id), token),
        await api.call(
            "POST", "/v1/conversations", {"conversation_id": conversation_id, "participants": ["telegram:5"]}, token
        ),
        await api.call("POST", "/v1/files", token=token, data=form),
    ]
    assert [answer.status for answer in answers] == [400] * 3
    batch = await api.call("POST", "/v1/messages/batch", {"messages": [api.message(conversation_id)]}, token)
    assert (await batch.json())["results"][0]["status"] == 400
    assert api.log.records == []


@pytest.mark.parametrize(
    "conversation_id", ["a/b", "../x", "...", "a/../b", "%", "%2e%2e", "?", "#", "a b", "\\", ";", "é"]
)
async def test_a_conversation_s_location_leads_to_it(api: Api, conversation_id: str) -> None:
    token = await api.somebody()
    body = {"conversation_id": conversation_id, "participants": ["telegram:5"]}
    made = await api.call("POST", "/v1/conversations", body, token)
    assert made.status == 201
    target = made.headers["Location"]
    status, _, found = await first_answer(api, request_of(f"GET {target}", token))
    assert (status, json.loads(found)["conversation_id"]) == (200, conversation_id)
    assert (await api.call("GET", target, token=token)).status == 200


UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
GOOD_KEY = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="


@pytest.mark.parametrize("key", ["\xff\xfe", "", "YQ==", "A" * 5_000])
async def test_a_websocket_key_that_is_none_is_a_400(api: Api, key: str) -> None:
    request = request_of("GET /notifications", await api.somebody(), *UPGRADE, f"Sec-WebSocket-Key: {key}")
    status, _, body = await first_answer(api, request)
    assert (status, json.loads(body)["status"]) == (400, 400)


async def test_a_token_may_stand_in_the_second_of_two_headers_with_subprotocols(api: Api) -> None:
    token = await api.somebody()
    lines = ["GET /notifications HTTP/1.1", "Host: x", *UPGRADE, GOOD_KEY, "Sec-WebSocket-Protocol: bearer"]
    request = "\r\n".join([*lines, f"Sec-WebSocket-Protocol: {token}", "", ""]).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        frame = await reader.readexactly(2)
    writer.close()
    assert b" 101 " in head
    assert b"Sec-WebSocket-Protocol: bearer\r\n" in head
    assert frame[0] == 0x81  # a text: connected, not closed with 1008


async def test_what_is_no_subprotocol_is_not_repeated_in_the_answer(api: Api) -> None:
    token = await api.somebody()
    offered = "Sec-WebSocket-Protocol: \xff\xfe, a b, chat"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request_of("GET /notifications", token, *UPGRADE, GOOD_KEY, offered))
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b"Sec-WebSocket-Protocol: chat\r\n" in head
