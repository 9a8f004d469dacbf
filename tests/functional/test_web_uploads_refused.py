"""Uploads that can be resumed: what is refused, and that nothing of it is kept."""

from __future__ import annotations

import pytest

from fakes.file_store import SMALL_PART
from support.api import Api, StartApi
from support.uploads import (
    TUS,
    append,
    begin,
    checksum_header,
    is_the_file,
    look,
    metadata,
    nothing_is_left,
    offset_of,
    sha256,
    some_bytes,
)
from web.uploads.tus import OFFSET_STREAM


@pytest.mark.parametrize("version", [None, "", "0.2.2", "1.0.1", "nonsense"])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
async def test_another_version_of_tus_is_412(api: Api, method: str, version: str | None) -> None:
    token = await api.somebody()
    path = await begin(api, token, 3)
    headers = {"Content-Type": OFFSET_STREAM, "Upload-Offset": "0", "Upload-Length": "3"}
    headers |= {} if version is None else {"Tus-Resumable": version}
    answer = await api.call(method, "/v1/uploads" if method == "POST" else path, token=token, headers=headers)
    assert (answer.status, answer.headers["Tus-Version"]) == (412, "1.0.0")
    assert await offset_of(api, token, path) == 0


GOOD = {"filename": "a.txt", "conversation_id": "c-1"}


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ({}, {"Upload-Length", "conversation_id"}),
        ({"Upload-Metadata": metadata(**GOOD)}, {"Upload-Length"}),
        ({"Upload-Length": "-1", "Upload-Metadata": metadata(filename="x")}, {"Upload-Length", "conversation_id"}),
        ({"Upload-Length": "1.5", "Upload-Metadata": metadata(**GOOD)}, {"Upload-Length"}),
        ({"Upload-Length": "9" * 30, "Upload-Metadata": metadata(**GOOD)}, {"Upload-Length"}),
        ({"Upload-Defer-Length": "1", "Upload-Metadata": metadata(**GOOD)}, {"Upload-Defer-Length"}),
        ({"Upload-Length": "1", "Upload-Metadata": "filename !!!"}, {"Upload-Metadata"}),
        ({"Upload-Length": "1", "Upload-Metadata": "a YQ==,a YQ=="}, {"Upload-Metadata"}),
        ({"Upload-Length": "1", "Upload-Metadata": ",,"}, {"Upload-Metadata"}),
        ({"Upload-Length": "1", "Upload-Metadata": "conversation_id /w=="}, {"conversation_id"}),
        ({"Upload-Length": "1", "Upload-Metadata": "conversation_id"}, {"conversation_id"}),
        (
            {"Upload-Length": "x", "Upload-Metadata": metadata(conversation_id="a\n", checksum="1")},
            {"Upload-Length", "conversation_id", "checksum"},
        ),
    ],
)
async def test_what_cannot_begin_is_told_all_that_is_wrong(api: Api, headers: dict[str, str], wrong: set[str]) -> None:
    answer = await api.call("POST", "/v1/uploads", token=await api.somebody(), headers={**TUS, **headers})
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == wrong
    assert nothing_is_left(api)


async def test_a_file_over_the_limit_does_not_begin(start_api: StartApi) -> None:
    async with start_api(files_max_bytes=1_000) as api:
        headers = {**TUS, "Upload-Length": "1001", "Upload-Metadata": metadata(**GOOD)}
        answer = await api.call("POST", "/v1/uploads", token=await api.somebody(), headers=headers)
        assert answer.status == 413
        assert nothing_is_left(api)


async def test_a_stranger_begins_nothing_in_a_conversation(api: Api) -> None:
    await api.send(await api.somebody())
    headers = {**TUS, "Upload-Length": "10", "Upload-Metadata": metadata(**GOOD)}
    answer = await api.call("POST", "/v1/uploads", token=await api.somebody(), headers=headers)
    assert answer.status == 403
    assert nothing_is_left(api)


async def test_an_upload_is_its_uploaders_alone(api: Api) -> None:
    token, other = await api.somebody(), await api.somebody()
    path = await begin(api, token, 10)
    for made in (path, "/v1/uploads/nonsense", f"/v1/uploads/{'0' * 300}", "/v1/uploads/%00"):
        assert (await look(api, other, made)).status == 404
        assert (await append(api, other, made, 0, b"x")).status == 404
        assert (await api.call("DELETE", made, token=other, headers=TUS)).status == 404
    assert await offset_of(api, token, path) == 0


async def test_who_left_the_group_cannot_go_on(api: Api) -> None:
    owner, member = await api.login(await api.register()), await api.login(await api.register())
    body = {"name": "g", "initial_members": [member["user_id"]]}
    group = (await (await api.call("POST", "/v1/groups", body, owner["token"])).json())["group_id"]
    path = await begin(api, member["token"], 10, conversation_id=group)
    gone = await api.call("DELETE", f"/v1/groups/{group}/members/{member['user_id']}", token=owner["token"])
    assert gone.status == 200
    assert (await append(api, member["token"], path, 0, b"0123456789")).status == 403
    assert (await api.call("DELETE", path, token=member["token"], headers=TUS)).status == 204
    assert not api.files.rows


@pytest.mark.parametrize("offset", ["0", "4", "6", "10", "11", "999999999999"])
async def test_another_offset_is_409_and_tells_the_right_one(api: Api, offset: str) -> None:
    token = await api.somebody()
    path = await begin(api, token, 10)
    assert (await append(api, token, path, 0, b"01234")).status == 204
    answer = await append(api, token, path, 0, b"x", **{"Upload-Offset": offset})
    assert (answer.status, answer.headers["Upload-Offset"]) == (409, "5")
    assert (await append(api, token, path, 5, b"56789")).status == 204
    await is_the_file(api, token, path, b"0123456789")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": ""}, 400),
        ({"Upload-Offset": "ten"}, 400),
        ({"Upload-Checksum": "crc32 AAAAAA=="}, 400),
        ({"Upload-Checksum": "sha256 AAAAAA=="}, 400),
        ({"Upload-Checksum": "sha1"}, 400),
        ({"Upload-Checksum": "sha1 %%%"}, 400),
        ({"Upload-Checksum": ""}, 400),
    ],
)
async def test_a_wrong_header_is_refused_and_nothing_taken(api: Api, headers: dict[str, str], status: int) -> None:
    token = await api.somebody()
    path = await begin(api, token, 10)
    assert (await append(api, token, path, 0, b"01234", **headers)).status == status
    assert await offset_of(api, token, path) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
@pytest.mark.parametrize("size", [1_000, 2 * SMALL_PART + 9])
async def test_bytes_with_the_right_checksum_count(api: Api, algorithm: str, size: int) -> None:
    token, data = await api.somebody(), some_bytes(size)
    path = await begin(api, token, size)
    half = size // 2
    for start, piece in ((0, data[:half]), (half, data[half:])):
        answer = await append(api, token, path, start, piece, **checksum_header(piece, algorithm))
        assert answer.status == 204
    await is_the_file(api, token, path, data)


@pytest.mark.parametrize("start", [0, 7, SMALL_PART, SMALL_PART + 7])
@pytest.mark.parametrize("size", [100, SMALL_PART * 2])
async def test_bytes_with_a_wrong_checksum_do_not_count(api: Api, start: int, size: int) -> None:
    token, data = await api.somebody(), some_bytes(start + size + 50)
    path = await begin(api, token, len(data))
    if start:
        assert (await append(api, token, path, 0, data[:start])).status == 204
    objects = dict(api.file_store.objects)
    bad = b"\x89PNG\r\n\x1a\n" + some_bytes(size - 8, seed=2)
    answer = await append(api, token, path, start, bad, **checksum_header(data[start : start + size]))
    assert (answer.status, answer.reason) == (460, "Checksum Mismatch")
    assert await offset_of(api, token, path) == start
    assert api.file_store.objects == objects
    assert (await append(api, token, path, start, data[start:])).status == 204
    assert (await is_the_file(api, token, path, data))["mimetype"] == "application/octet-stream"


@pytest.mark.parametrize("size", [0, 1_000, SMALL_PART * 2 + 1])
@pytest.mark.parametrize("is_seen", [True, False])
async def test_a_whole_with_another_checksum_is_no_file(two: tuple[Api, Api], size: int, is_seen: bool) -> None:
    one, other = two
    token, data = await one.somebody(), some_bytes(size)
    headers = {
        **TUS,
        "Upload-Length": str(size),
        "Content-Type": OFFSET_STREAM,
        "Upload-Metadata": metadata(**GOOD, checksum=sha256(b"another")),
    }
    if not size:
        assert (await one.call("POST", "/v1/uploads", token=token, headers=headers)).status == 460
    else:
        answer = await one.call("POST", "/v1/uploads", token=token, headers=headers, data=data[:-7])
        path = answer.headers["Location"]
        assert (await append(one if is_seen else other, token, path, size - 7, data[-7:])).status == 460
        assert (await look(one, token, path)).status == 404
    assert nothing_is_left(one)
