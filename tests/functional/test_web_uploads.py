"""Uploads that can be resumed, over HTTP and against fakes: what each request is answered, and what is kept."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from fakes.file_store import SMALL_PART
from support.api import Api, StartApi
from support.uploads import (
    TUS,
    append,
    begin,
    is_the_file,
    look,
    nothing_is_left,
    offset_of,
    sha256,
    some_bytes,
)

HOUR_MS = 3_600_000


@pytest.mark.parametrize("size", [0, 1, 1_000, SMALL_PART - 1, SMALL_PART, SMALL_PART + 1, 3 * SMALL_PART + 7])
async def test_an_upload_in_one_request_becomes_a_file(api: Api, size: int) -> None:
    token, data = await api.somebody(), some_bytes(size)
    path = await begin(api, token, size)
    if size:
        answer = await append(api, token, path, 0, data)
        assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(size))
        assert answer.headers["Tus-Resumable"] == "1.0.0"
    file = await is_the_file(api, token, path, data)
    assert file["filename"] == "film.bin"
    assert await offset_of(api, token, path) == size


@pytest.mark.parametrize(
    "pieces",
    [
        [1, 1, 1],
        [SMALL_PART - 1, 1, 1],
        [SMALL_PART, SMALL_PART],
        [SMALL_PART, 1],
        [1, SMALL_PART * 2, SMALL_PART],
        [SMALL_PART + 5, SMALL_PART - 5, 3],
        [100] * 5 + [SMALL_PART * 2 + 100],
    ],
)
async def test_any_pieces_make_the_whole(api: Api, pieces: list[int]) -> None:
    token, data = await api.somebody(), some_bytes(sum(pieces))
    path, offset = await begin(api, token, len(data)), 0
    for size in pieces:
        answer = await append(api, token, path, offset, data[offset : offset + size])
        offset += size
        assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(offset))
        assert await offset_of(api, token, path) == offset
    await is_the_file(api, token, path, data)


async def test_a_first_part_may_come_with_the_creation(api: Api) -> None:
    token, data = await api.somebody(), some_bytes(5_000)
    path = await begin(api, token, 5_000, data[:3_000])
    assert await offset_of(api, token, path) == 3_000
    assert (await append(api, token, path, 3_000, data[3_000:])).status == 204
    await is_the_file(api, token, path, data)
    api.file_store.objects.clear()
    await is_the_file(api, token, await begin(api, token, 5_000, data), data)


async def test_what_is_begun_tells_where_it_is_and_until_when(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, 10, filename="olá/mundo.txt", checksum=sha256(b"0123456789"))
    answer = await look(api, token, path)
    assert answer.headers["Upload-Offset"] == "0"
    assert answer.headers["Upload-Length"] == "10"
    assert answer.headers["Cache-Control"] == "no-store"
    pairs = dict(pair.split(" ") for pair in answer.headers["Upload-Metadata"].split(","))
    values = {name: b64decode(value).decode() for name, value in pairs.items()}
    assert values == {"filename": "mundo.txt", "conversation_id": "c-1", "checksum": sha256(b"0123456789")}
    expires = parsedate_to_datetime(answer.headers["Upload-Expires"])
    assert expires.timestamp() == (api.clock.now_ms + 24 * HOUR_MS) // 1000


async def test_each_byte_puts_the_expiry_off(start_api: StartApi) -> None:
    async with start_api(jwt_ttl_seconds=10_000_000) as api:
        token = await api.somebody()
        path = await begin(api, token, 10)
        before = (await look(api, token, path)).headers["Upload-Expires"]
        api.clock.now_ms += HOUR_MS
        answer = await append(api, token, path, 0, b"0")
        assert parsedate_to_datetime(answer.headers["Upload-Expires"]) > parsedate_to_datetime(before)
        assert (await look(api, token, path)).headers["Upload-Expires"] == answer.headers["Upload-Expires"]


@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/uploads/x"])
async def test_options_tell_what_is_done_of_tus_and_need_no_token(api: Api, path: str) -> None:
    answer = await api.call("OPTIONS", path)
    assert answer.status == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(2 * 1024**3)
    assert answer.headers["Tus-Extension"].split(",") == [
        "creation",
        "creation-with-upload",
        "checksum",
        "expiration",
        "termination",
    ]
    assert "sha1" in answer.headers["Tus-Checksum-Algorithm"].split(",")
    assert "OPTIONS" in answer.headers["Allow"]


async def test_a_page_of_an_allowed_origin_may_upload(start_api: StartApi) -> None:
    async with start_api(cors_origins="https://chat.example.org") as api:
        asked = {"Origin": "https://chat.example.org", "Access-Control-Request-Method": "PATCH"}
        answer = await api.call("OPTIONS", "/v1/uploads/x", headers=asked)
        assert {"PATCH", "HEAD", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
        assert {"Upload-Offset", "Upload-Checksum", "Upload-Metadata", "Tus-Resumable"} <= set(allowed)
        answer = await api.call("HEAD", "/v1/uploads/x", headers={"Origin": "https://chat.example.org"})
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Upload-Offset", "Upload-Length", "Upload-Expires", "Location", "Tus-Resumable"} <= set(exposed)


@pytest.mark.parametrize("is_chunked", [True, False])
@pytest.mark.parametrize("size", [10, SMALL_PART * 2])
async def test_more_bytes_than_announced_are_not_stored(api: Api, size: int, is_chunked: bool) -> None:
    token, data = await api.somebody(), some_bytes(size)
    path = await begin(api, token, size)

    async def pieces() -> AsyncIterator[bytes]:
        yield data
        yield b"!"

    answer = await append(api, token, path, 0, pieces() if is_chunked else data + b"!")
    assert answer.status == 413
    kept = await offset_of(api, token, path)
    assert kept <= size if is_chunked else kept == 0
    if kept < size:
        assert (await append(api, token, path, kept, data[kept:])).status == 204
    await is_the_file(api, token, path, data)


async def test_a_body_of_unknown_length_is_taken(api: Api) -> None:
    token, data = await api.somebody(), some_bytes(SMALL_PART + 100)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    path = await begin(api, token, len(data))
    assert (await append(api, token, path, 0, pieces())).status == 204
    await is_the_file(api, token, path, data)


async def test_what_is_a_file_stays_one(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, 3, b"abc")
    assert (await append(api, token, path, 3)).status == 204
    assert (await append(api, token, path, 0, b"xyz")).status == 409
    assert (await append(api, token, path, 3, b"d")).status == 413
    assert (await api.call("DELETE", path, token=token, headers=TUS)).status == 409
    answer = await look(api, token, path)
    assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == ("3", "3")
    assert "Upload-Expires" not in answer.headers
    await is_the_file(api, token, path, b"abc")


@pytest.mark.parametrize("size", [0, 100, SMALL_PART, SMALL_PART * 2 + 100])
async def test_what_is_given_up_is_gone(api: Api, size: int) -> None:
    token = await api.somebody()
    path = await begin(api, token, SMALL_PART * 3)
    assert (await append(api, token, path, 0, some_bytes(size))).status == 204
    assert (await api.call("DELETE", path, token=token, headers=TUS)).status == 204
    assert nothing_is_left(api)
    assert (await look(api, token, path)).status == 404
    assert (await append(api, token, path, size, b"x")).status == 404
    assert (await api.call("DELETE", path, token=token, headers=TUS)).status == 404


async def test_what_has_expired_is_gone_swept_or_not(start_api: StartApi) -> None:
    async with start_api(jwt_ttl_seconds=10_000_000) as api:
        token = await api.somebody()
        path = await begin(api, token, 10, b"01234")
        api.clock.now_ms += 24 * HOUR_MS - 1
        assert (await look(api, token, path)).status == 200
        api.clock.now_ms += 1
        for call in (
            look(api, token, path),
            append(api, token, path, 5, b"5"),
            api.call("DELETE", path, token=token, headers=TUS),
        ):
            assert (await call).status == 410


async def test_a_file_coming_in_as_a_form_is_no_resumable_upload(api: Api) -> None:
    user = await api.login(await api.register())
    path = await begin(api, user["token"], 10)
    upload_id = path.rpartition("/")[2]
    api.files.rows[upload_id] = replace(api.files.rows[upload_id], size_bytes=None)
    assert (await look(api, user["token"], path)).status == 404
    assert (await append(api, user["token"], path, 0, b"x")).status == 404


async def test_metrics_tell_of_files_that_were_resumed(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, 10, b"01234")
    await append(api, token, path, 5, b"56789")
    text = await (await api.call("GET", "/metrics")).text()
    assert 'chat4all_files_uploaded_total{size_bucket="64KiB"} 1' in text
    assert "chat4all_file_bytes_received_total 10" in text
    assert api.services.upload_limit.under_way == 0
