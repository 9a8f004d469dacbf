"""Files over HTTP, against fakes: what comes in, what is kept, what goes out."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import FormData, MultipartWriter

from domain.errors import NotFound
from domain.files import storage_key
from domain.ports import Part
from fakes.file_store import SMALL_PART
from support.api import Api, StartApi
from support.waiting import pass_time, until
from web.http.middlewares import SLOW_SECONDS
from web.routes import ROUTES

MIB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2_000)


def some_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def form(
    data: bytes | None = PNG,
    conversation_id: str | None = "c-1",
    name: str = "photo.png",
    *,
    file_first: bool = False,
    **more: str,
) -> FormData:
    """A form; of a file first, and of fields left out with ``None``."""
    made = FormData(quote_fields=False, default_to_multipart=True)
    fields = [("conversation_id", conversation_id), ("file", data), *more.items()]
    for field, value in reversed(fields) if file_first else fields:
        if isinstance(value, bytes):
            made.add_field(field, value, filename=name, content_type="image/jpeg")
        elif value is not None:
            made.add_field(field, value)
    return made


async def upload(api: Api, token: str, data: bytes = PNG, **more: object) -> dict[str, Any]:
    answer = await api.call("POST", "/v1/files", token=token, data=form(data, **more))
    assert answer.status == 201, await answer.text()
    return dict(await answer.json())


async def test_a_file_is_kept_whole_with_its_facts(api: Api) -> None:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/files", token=token, data=form())
    assert answer.status == 201
    file = await answer.json()
    assert file["filename"] == "photo.png"
    assert file["size_bytes"] == len(PNG)
    assert file["mimetype"] == "image/png"  # by its bytes: the form said image/jpeg
    assert file["checksum"] == f"sha256:{hashlib.sha256(PNG).hexdigest()}"
    assert file["storage_path"] == f"c-1/{file['file_id']}.png"
    assert answer.headers["Location"] == f"/v1/files/{file['file_id']}"
    assert api.file_store.objects[file["storage_path"]][0] == PNG
    shown = await api.call("GET", answer.headers["Location"], token=token)
    assert await shown.json() == file


@pytest.mark.parametrize("file_first", [False, True])
async def test_a_field_that_a_form_does_not_have_is_refused_with_the_nearest_one(api: Api, file_first: bool) -> None:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/files", token=token, data=form(check_sum="sha256:00", file_first=file_first))
    assert answer.status == 400
    (error,) = (await answer.json())["errors"]
    assert (error["field"], "did you mean `checksum`?" in error["detail"]) == ("check_sum", True)
    assert not api.file_store.objects
    assert not api.file_store.uploads


@pytest.mark.parametrize(
    "size",
    [
        0,
        1,
        SMALL_PART - 1,
        SMALL_PART,
        SMALL_PART + 1,
        2 * SMALL_PART,
        3 * SMALL_PART + 7,
    ],
)
@pytest.mark.parametrize("file_first", [False, True])
async def test_any_size_and_any_order_of_fields(api: Api, size: int, file_first: bool) -> None:
    token, data = await api.somebody(), some_bytes(size)
    file = await upload(api, token, data, file_first=file_first)
    assert file["size_bytes"] == size
    assert file["checksum"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert list(api.file_store.objects) == [file["storage_path"]]
    assert not api.file_store.uploads
    path = f"/v1/files/{file['file_id']}/content"
    async with api.session.get(path, headers={"Authorization": f"Bearer {token}"}) as content:
        assert await content.read() == data


async def test_a_body_of_unknown_length_is_taken(api: Api) -> None:
    token, data = await api.somebody(), some_bytes(SMALL_PART + 5)

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\nc-1\r\n'
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n\r\n'
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await api.call("POST", "/v1/files", token=token, data=body(), headers=headers)
    assert answer.status == 201
    assert (await answer.json())["checksum"] == f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"data": None}, {"file"}),
        ({"conversation_id": None}, {"conversation_id"}),
        ({"conversation_id": None, "data": None}, {"conversation_id", "file"}),
        ({"conversation_id": ""}, {"conversation_id"}),
        ({"conversation_id": "x" * 200}, {"conversation_id"}),
        ({"checksum": "md5:1"}, {"checksum"}),
        ({"checksum": "sha256:" + "0" * 64}, {"checksum"}),
        ({"conversation_id": None, "file_first": True}, {"conversation_id"}),
        ({"conversation_id": "a\nb", "file_first": True}, {"conversation_id"}),
    ],
)
@pytest.mark.parametrize("size", [100, SMALL_PART * 2])
async def test_a_wrong_form_leaves_nothing(api: Api, fields: dict[str, Any], wrong: set[str], size: int) -> None:
    token = await api.somebody()
    answer = await api.call("POST", "/v1/files", token=token, data=form(**{"data": some_bytes(size), **fields}))
    assert answer.status == 400
    assert {error["field"] for error in (await answer.json(content_type=None))["errors"]} == wrong
    assert nothing_is_left(api)


def nothing_is_left(api: Api) -> bool:
    return not (api.file_store.objects or api.file_store.uploads or api.files.rows)


async def test_the_right_checksum_is_accepted(api: Api) -> None:
    checksum = f"SHA256:{hashlib.sha256(PNG).hexdigest().upper()}"
    assert (await upload(api, await api.somebody(), checksum=checksum))["checksum"] == checksum.lower()


@pytest.mark.parametrize("file_first", [False, True])
@pytest.mark.parametrize("size", [100, SMALL_PART * 2])
async def test_a_stranger_cannot_put_a_file_into_a_conversation(api: Api, file_first: bool, size: int) -> None:
    await api.send(await api.somebody())
    made = form(some_bytes(size), file_first=file_first)
    answer = await api.call("POST", "/v1/files", token=await api.somebody(), data=made)
    assert answer.status == 403
    assert nothing_is_left(api)


async def test_over_the_limit_is_413_and_leaves_nothing(start_api: StartApi) -> None:
    async with start_api(files_max_bytes=SMALL_PART * 2) as api:
        token = await api.somebody()
        fits = await upload(api, token, some_bytes(SMALL_PART * 2))
        assert fits["size_bytes"] == SMALL_PART * 2
        for size in (SMALL_PART * 2 + 1, SMALL_PART * 2 + 70_000):
            answer = await api.call("POST", "/v1/files", token=token, data=form(some_bytes(size)))
            assert answer.status == 413
            assert list(api.file_store.objects) == [fits["storage_path"]]
            assert list(api.files.rows) == [fits["file_id"]]
            assert not api.file_store.uploads


async def test_a_length_over_the_limit_is_refused_before_the_body_is_sent(start_api: StartApi) -> None:
    async with start_api(files_max_bytes=1_000) as api:
        headers = {
            "Content-Type": "multipart/form-data; boundary=b",
            "Expect": "100-continue",
            "Content-Length": "999999",
            "Authorization": f"Bearer {await api.somebody()}",
        }
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST /v1/files HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        assert b" 413 " in line


BODIES = {
    "no form": (b"{}", "application/json"),
    "no boundary": (b"--b\r\n", "multipart/form-data"),
    "empty": (b"", "multipart/form-data; boundary=b"),
    "another boundary": (b"--c\r\n\r\nx\r\n--c--\r\n", "multipart/form-data; boundary=b"),
    "cut in a header": (b"--b\r\nContent-Dispo", "multipart/form-data; boundary=b"),
    "cut in a field": (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc',
        "multipart/form-data; boundary=b",
    ),
    "nested": (
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    "base64": (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        b"AAAA\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    "endless fields": (
        b"".join(b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n' for _ in range(50)) + b"--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    "a field too long": (
        b'--b\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\n' + b"x" * 9_000 + b"\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    "the file twice": (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n1\r\n' * 2 + b"--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
}


@pytest.mark.parametrize("what", BODIES)
async def test_what_is_no_form_is_a_400_and_leaves_nothing(api: Api, what: str) -> None:
    body, kind = BODIES[what]
    token = await api.somebody()
    answer = await api.call("POST", "/v1/files", token=token, data=body, headers={"Content-Type": kind})
    assert answer.status == 400
    assert nothing_is_left(api)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("a%22; filename=%22b.exe", "a_; filename=_b.exe"),
        ("olá mundo", "olá mundo"),
        ("100%25.png", "100%25.png"),
        ("a%0D%0Ab", "a b"),
    ],
)
async def test_names_are_made_safe(api: Api, name: str, kept: str) -> None:
    token = await api.somebody()
    file = await upload(api, token, name=name)
    assert file["filename"] == kept
    content = await api.call("GET", f"/v1/files/{file['file_id']}/content", token=token)
    assert content.headers["Content-Disposition"].startswith('attachment; filename="')
    assert content.headers["Content-Disposition"].isascii()
    assert content.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_raw_header_in_a_name_injects_nothing(api: Api) -> None:
    token = await api.somebody()
    head = "form-data; name=file; filename*=UTF-8''y%0D%0ASet-Cookie%3A%20a=b"
    body = (
        f"--b\r\nContent-Disposition: {head}\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; "
        'name="conversation_id"\r\n\r\nc-1\r\n--b--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await api.call("POST", "/v1/files", token=token, data=body.encode(), headers=headers)
    assert answer.status == 201
    content = await api.call("GET", f"/v1/files/{(await answer.json())['file_id']}/content", token=token)
    assert "Set-Cookie" not in content.headers


async def test_a_client_that_vanishes_leaves_nothing(api: Api) -> None:
    token = await api.somebody()
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 99999999\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\nc-1\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'.encode()
    )
    writer.write(some_bytes(SMALL_PART * 3))
    await writer.drain()
    await until(lambda: api.files.rows and api.file_store.uploads)
    writer.transport.abort()
    await until(lambda: nothing_is_left(api) and not api.services.upload_limit.under_way)


async def test_a_client_that_falls_silent_is_let_go(start_api: StartApi) -> None:
    async with start_api(upload_stall_seconds=0.2) as api:
        token = await api.somebody()

        async def body() -> AsyncIterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + bytes(SMALL_PART * 2)
            await asyncio.Event().wait()  # for ever
            yield b""

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await api.call("POST", "/v1/files", token=token, data=body(), headers=headers)
        assert answer.status == 408
        assert nothing_is_left(api)


async def test_while_the_store_is_away_uploads_are_503_and_leave_nothing(api: Api) -> None:
    token = await api.somebody()
    for size in (100, SMALL_PART * 2):
        api.file_store.available = False
        answer = await api.call("POST", "/v1/files", token=token, data=form(some_bytes(size)))
        assert answer.status == 503
        api.file_store.available = True
    await upload(api, token)


async def test_while_cassandra_is_away_uploads_are_503(api: Api) -> None:
    token = await api.somebody()
    await api.send(token)
    api.files.available = False
    answer = await api.call("POST", "/v1/files", token=token, data=form())
    assert answer.status == 503
    assert not api.file_store.objects


async def test_only_so_many_uploads_at_once(start_api: StartApi) -> None:
    async with start_api(uploads_at_once=2, uploads_per_user=1) as api:
        first, second, third = [await api.somebody() for _ in range(3)]
        go_on = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\nc-1\r\n--b\r\n'
            await go_on.wait()
            yield b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--b--\r\n'

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        slow = asyncio.create_task(api.call("POST", "/v1/files", token=first, data=slowly(), headers=headers))
        await until(lambda: api.services.upload_limit.under_way == 1)
        assert (await api.call("POST", "/v1/files", token=first, data=form())).status == 503
        other = form(conversation_id="c-2")
        assert (await api.call("POST", "/v1/files", token=second, data=other)).status == 201
        with api.services.upload_limit.acquire("somebody else"):
            refused = await api.call("POST", "/v1/files", token=third, data=form(conversation_id="c-3"))
            assert refused.status == 503
        go_on.set()
        assert (await slow).status == 201
        assert api.services.upload_limit.refused == 2


async def test_metrics_tell_of_files(api: Api) -> None:
    await upload(api, await api.somebody(), some_bytes(2 * MIB))
    text = await (await api.call("GET", "/metrics")).text()
    assert 'chat4all_files_uploaded_total{size_bucket="16MiB"} 1' in text
    assert 'chat4all_files_uploaded_total{size_bucket="64KiB"} 0' in text
    assert f"chat4all_file_bytes_received_total {2 * MIB}" in text
    assert "chat4all_file_upload_seconds_count 1" in text


async def test_keys_of_two_conversations_are_apart(api: Api) -> None:
    token = await api.somebody()
    file = await upload(api, token, conversation_id="a/../b")
    assert file["storage_path"] == storage_key("a/../b", file["file_id"], "photo.png")
    assert file["storage_path"].count("/") == 1


async def test_a_multipart_without_form_data_is_refused(api: Api) -> None:
    with MultipartWriter("mixed") as writer:
        writer.append("x")
        answer = await api.call("POST", "/v1/files", token=await api.somebody(), data=writer)
    assert answer.status == 400


async def test_a_file_that_takes_its_time_is_no_slow_request(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    token = await api.somebody()
    assert next(route for route in ROUTES if route.title == "POST /v1/files").is_transfer

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\nc-1\r\n--b\r\n'
        await pass_time(SLOW_SECONDS * 1.05)
        yield b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--b--\r\n'

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await api.call("POST", "/v1/files", token=token, data=body(), headers=headers)
    assert answer.status == 201
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("file_first", [False, True])
async def test_a_form_whose_object_was_assembled_although_the_answer_was_lost_becomes_a_file(
    api: Api, monkeypatch: pytest.MonkeyPatch, file_first: bool
) -> None:
    """The store says that the upload in parts is gone: it has become the object, which is read back."""
    token, data, finish = await api.somebody(), some_bytes(SMALL_PART * 2 + 5), api.file_store.finish

    async def answer_is_lost(key: str, upload: str, parts: Sequence[Part]) -> None:
        await finish(key, upload, parts)
        raise NotFound("this upload is gone")

    monkeypatch.setattr(api.file_store, "finish", answer_is_lost)
    file = await upload(api, token, data, file_first=file_first)
    assert file["checksum"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert api.file_store.objects[file["storage_path"]][0] == data


async def test_a_form_whose_parts_the_store_has_lost_is_refused_and_leaves_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await api.somebody()

    async def parts_are_lost(key: str, upload: str, parts: Sequence[Part]) -> None:
        raise NotFound("this upload is gone")

    monkeypatch.setattr(api.file_store, "finish", parts_are_lost)
    answer = await api.call("POST", "/v1/files", token=token, data=form(some_bytes(SMALL_PART * 2 + 5)))
    assert answer.status == 503
    assert nothing_is_left(api)
