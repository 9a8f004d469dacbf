"""Files on their way out: ranges, conditions, links, and a store or a client that fails on the way."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientError, ClientPayloadError, FormData
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from domain.disposition import attachment_header
from support.api import Api, StartApi
from support.waiting import until

DATA = random.Random(3).randbytes(3_000_000)


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes


@dataclass
class Sent:
    """A file in the API, and its uploader."""

    api: Api
    token: str
    file: dict[str, Any]

    async def get(self, path: str = "", method: str = "GET", **headers: str) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        path = path or f"/v1/files/{self.file['file_id']}/content"
        if not path.startswith("http") and "signature" not in path:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self.api.session.request(method, path, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())


@pytest.fixture
async def sent(api: Api) -> Sent:
    return await sent_to(api, DATA)


async def sent_to(api: Api, data: bytes, name: str = "a file.bin", token: str = "") -> Sent:
    token = token or await api.somebody()
    form = FormData()
    form.add_field("conversation_id", "c-1")
    form.add_field("file", data, filename=name)
    answer = await api.call("POST", "/v1/files", token=token, data=form)
    return Sent(api, token, await answer.json())


async def test_the_whole_file_comes_as_an_attachment(sent: Sent) -> None:
    answer = await sent.get()
    assert answer.status == 200
    assert answer.body == DATA
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == f'"{sent.file["checksum"]}"'
    assert answer.headers["Cache-Control"].startswith("private")
    assert "Last-Modified" in answer.headers


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=2999999-", 2_999_999, 3_000_000),
        ("bytes=-1", 2_999_999, 3_000_000),
        ("bytes=-99999999", 0, 3_000_000),
        ("bytes=1000000-99999999", 1_000_000, 3_000_000),
    ],
)
async def test_a_range_comes_as_206(sent: Sent, header: str, start: int, end: int) -> None:
    answer = await sent.get(Range=header)
    assert answer.status == 206
    assert answer.body == DATA[start:end]
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("header", ["bytes=3000000-", "bytes=-0", "bytes=9999999-99999999"])
async def test_what_is_beyond_the_end_is_416_with_the_size(sent: Sent, header: str) -> None:
    answer = await sent.get(Range=header)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("header", ["bytes=5-4", "lines=1-2", "bytes=0-1,5-6", "nonsense", "bytes=1"])
async def test_a_range_that_is_none_is_answered_with_the_whole(sent: Sent, header: str) -> None:
    answer = await sent.get(Range=header)
    assert (answer.status, len(answer.body)) == (200, len(DATA))


async def test_head_tells_all_and_sends_nothing(sent: Sent) -> None:
    answer = await sent.get(method="HEAD", Range="bytes=0-9")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, str(len(DATA)), b"")
    assert (await sent.get(method="HEAD")).headers["Content-Length"] == str(len(DATA))


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", None])
async def test_an_empty_file_has_no_range(api: Api, header: str | None) -> None:
    empty = await sent_to(api, b"")
    answer = await empty.get(**({"Range": header} if header else {}))
    assert (answer.status, answer.body if answer.status == 200 else b"") == (416 if header else 200, b"")


async def test_what_one_has_is_not_sent_again(sent: Sent) -> None:
    etag, modified = f'"{sent.file["checksum"]}"', (await sent.get(method="HEAD")).headers["Last-Modified"]
    assert (await sent.get(If_None_Match=etag)).status == 304
    assert (await sent.get(If_None_Match=f'W/{etag}, "other"')).status == 304
    assert (await sent.get(If_None_Match="*")).status == 304
    assert (await sent.get(If_Modified_Since=modified)).status == 304
    # RFC 9110: If-None-Match goes before If-Modified-Since
    assert (await sent.get(If_None_Match='"other"', If_Modified_Since=modified)).status == 200
    assert (await sent.get(If_Modified_Since="Mon, 01 Jan 2024 00:00:00 GMT")).status == 200


async def test_another_file_than_the_one_that_is_meant_is_412(sent: Sent) -> None:
    etag = f'"{sent.file["checksum"]}"'
    assert (await sent.get(If_Match=etag)).status == 200
    assert (await sent.get(If_Match='"other"')).status == 412
    assert (await sent.get(If_Match=f"W/{etag}")).status == 412
    assert (await sent.get(If_Unmodified_Since="Mon, 01 Jan 2024 00:00:00 GMT")).status == 412


async def test_if_range_names_this_very_file_or_all_of_it_comes(sent: Sent) -> None:
    etag, modified = f'"{sent.file["checksum"]}"', (await sent.get(method="HEAD")).headers["Last-Modified"]
    for names_it in (etag, modified):
        assert (await sent.get(Range="bytes=0-9", If_Range=names_it)).status == 206
    for does_not in ('"other"', f"W/{etag}", "Mon, 01 Jan 2024 00:00:00 GMT"):
        assert (await sent.get(Range="bytes=0-9", If_Range=does_not)).status == 200


async def test_a_link_needs_no_token_and_has_ranges(sent: Sent) -> None:
    answer = await sent.api.call("GET", f"/v1/files/{sent.file['file_id']}/download", token=sent.token)
    found = await answer.json()
    assert found["checksum"] == sent.file["checksum"]
    assert found["expires_at"] > found["uploaded_at"]
    assert found["download_url"].startswith(f"http://127.0.0.1:{sent.api.port}/v1/files/")
    assert (await sent.get(found["download_url"])).body == DATA
    part = await sent.get(found["download_url"], Range="bytes=1-3")
    assert (part.status, part.body) == (206, DATA[1:4])
    assert part.headers["Content-Disposition"].startswith("attachment")


async def test_a_link_expires_and_cannot_be_changed(sent: Sent) -> None:
    answer = await sent.api.call("GET", f"/v1/files/{sent.file['file_id']}/download", token=sent.token)
    url = URL((await answer.json())["download_url"])
    other = await sent_to(sent.api, b"another", "another.txt", sent.token)
    later = str(int(url.query["expires"]) + 1)
    signature = url.query["signature"]
    changed = [
        url.update_query(expires=later),
        url.update_query(signature=signature[:-1] + ("0" if signature[-1] != "0" else "1")),
        url.update_query(signature=""),
        url.with_query({}),
        url.with_path(f"/v1/files/{other.file['file_id']}/link", keep_query=True),
    ]
    for one in changed:
        refused = await sent.get(str(one))
        assert refused.status == 403
        assert b"not valid" in refused.body
    sent.api.clock.now_ms += sent.api.settings.files_link_seconds * 1000
    expired = await sent.get(str(url))
    assert expired.status == 403
    assert b"expired" in expired.body


async def test_a_stranger_gets_neither_facts_nor_bytes_nor_links(sent: Sent) -> None:
    stranger = await sent.api.somebody()
    for rest in ("", "/content", "/download"):
        answer = await sent.api.call("GET", f"/v1/files/{sent.file['file_id']}{rest}", token=stranger)
        assert answer.status == 404


@pytest.mark.parametrize("file_id", ["0193f2a0-0000-7000-8000-000000000001", "x", "..%2f..%2fetc", "%00", "a" * 3000])
async def test_a_file_that_is_not_there_is_404(api: Api, file_id: str) -> None:
    token = await api.somebody()
    for rest in ("", "/content", "/download"):
        assert (await api.call("GET", f"/v1/files/{file_id}{rest}", token=token)).status == 404


async def test_a_store_that_is_away_is_503_before_the_answer(sent: Sent) -> None:
    sent.api.file_store.available = False
    assert (await sent.get()).status == 503
    assert (await sent.get(method="HEAD")).status == 200


async def test_a_store_that_fails_on_the_way_cuts_the_connection(sent: Sent) -> None:
    real = sent.api.file_store.read

    async def breaks(*args: object) -> Any:
        async for chunk in real(*args):
            yield chunk
            sent.api.file_store.available = False
            await sent.api.file_store.ping()

    sent.api.file_store.read = breaks
    with pytest.raises((ClientPayloadError, ClientError)):
        await sent.get()


async def test_a_client_that_takes_nothing_is_let_go(start_api: StartApi) -> None:
    async with start_api(upload_stall_seconds=0.3) as api:
        big = await sent_to(api, DATA * 10)
        _, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1)
        writer.write(
            f"GET /v1/files/{big.file['file_id']}/content HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {big.token}\r\n\r\n".encode()
        )
        await until(lambda: api.services.download_limit.under_way == 1)
        await until(lambda: api.services.download_limit.under_way == 0)
        writer.close()


async def test_only_so_many_downloads_at_once(start_api: StartApi) -> None:
    async with start_api(downloads_at_once=1) as api:
        sent = await sent_to(api, DATA)
        with api.services.download_limit.acquire():
            assert (await sent.get()).status == 503
        assert (await sent.get()).status == 200


@given(st.text(max_size=60))
def test_no_name_leaves_its_header(name: str) -> None:
    header = attachment_header(name)
    assert header.startswith('attachment; filename="')
    assert header.isascii()
    assert header.isprintable()
