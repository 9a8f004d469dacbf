"""The S3 store against a server that misbehaves in all the ways that S3 documents, and some more."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from aiohttp import web

from domain.errors import Conflict, FileStoreUnavailable, NotFound
from domain.ports import Part
from storage.s3 import S3FileStore
from storage.s3_calls import S3Calls
from storage.s3_client import Body
from storage.s3_config import S3Config
from support.waiting import pass_time

KEY, TYPE = "c-1/f-1.bin", "text/plain"
PARTS = [Part(1, 1, "e1")]
DONE = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def xml(text: str, status: int = 200) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status, content_type="application/xml")

    return answer


def error(code: str, status: int) -> Answer:
    return xml(f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>", status)


def html(status: int) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="<html><body>proxy</body></html>", status=status, content_type="text/html")

    return answer


async def fine(request: web.Request) -> web.Response:
    return web.Response(headers={"ETag": '"e1"'})


async def cut(request: web.Request) -> web.Response:
    request.transport.abort()
    return web.Response()


class FakeS3:
    """Gives the answers of its script, the last one for ever."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.over = asyncio.Event()

    async def silence(self, request: web.Request) -> web.Response:
        """Answer when the test is over."""
        await self.over.wait()
        return web.Response()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.read())
        return await (self.script.pop(0) if len(self.script) > 1 else self.script[0])(request)


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeS3]:
    yield FakeS3()


@pytest_asyncio.fixture
async def address(fake: FakeS3) -> AsyncIterator[str]:
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{any:.*}", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    fake.over.set()
    await runner.cleanup()


@pytest_asyncio.fixture
async def store(address: str) -> AsyncIterator[S3FileStore]:
    made = S3FileStore(S3Config(url=address, bucket="bucket", access_key="a", secret_key="s", timeout_seconds=4.0))
    yield made
    await made.close()


@pytest.mark.parametrize("first", [error("SlowDown", 503), error("InternalError", 500), html(502), cut])
async def test_a_request_that_can_be_repeated_is(store, fake, first):
    fake.script = [first, first, fine]
    assert await store.put_part(KEY, "u", 1, b"x") == Part(1, 1, "e1")
    assert len(fake.asked) == 3
    assert fake.bodies == [b"x"] * 3


@pytest.mark.parametrize("always", [error("SlowDown", 503), error("InternalError", 500), html(502), cut])
async def test_it_is_not_repeated_for_ever(store, fake, always):
    fake.script = [always]
    with pytest.raises(FileStoreUnavailable):
        await store.put(KEY, b"x", TYPE)
    assert len(fake.asked) in (4, 8)  # aiohttp itself asks once more where a connection broke


async def test_a_store_that_does_not_answer_is_given_up_in_time(store, fake):
    fake.script = [fake.silence]
    began = time.monotonic()
    with pytest.raises(FileStoreUnavailable, match="in time"):
        await store.size(KEY)
    assert 3.5 < time.monotonic() - began < 8


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "RequestTimeTooSkewed"])
async def test_what_repeating_cannot_help_is_told_at_once(store, fake, code):
    fake.script = [error(code, 403)]
    with pytest.raises(FileStoreUnavailable, match=code):
        await store.put(KEY, b"x", TYPE)
    assert len(fake.asked) == 1


async def test_a_full_store_is_told_at_once(store, fake):
    fake.script = [error("XMinioStorageFull", 507)]
    with pytest.raises(FileStoreUnavailable, match="Full"):
        await store.put_part(KEY, "u", 1, b"x")
    assert len(fake.asked) == 1


@pytest.mark.parametrize("answer", [html(404), html(403), xml("{not xml", 200), xml("<half", 500)])
async def test_what_is_not_s3_does_not_pass_for_it(store, fake, answer):
    fake.script = [answer]
    with pytest.raises((FileStoreUnavailable, NotFound)):
        await store.begin(KEY, TYPE)


async def test_an_error_in_an_answer_that_began_well_is_an_error_and_repeated_if_it_passes(store, fake):
    fake.script = [error("InternalError", 200), xml(f"\n  \n {DONE}")]
    await store.finish(KEY, "u", PARTS)
    assert fake.asked == ["POST /bucket/c-1/f-1.bin?uploadId=u"] * 2


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("NoSuchUpload", 200, NotFound),
        ("NoSuchUpload", 404, NotFound),
        ("InvalidPart", 200, Conflict),
        ("InvalidPartOrder", 400, Conflict),
        ("EntityTooSmall", 400, Conflict),
        ("Odd", 200, FileStoreUnavailable),
    ],
)
async def test_the_errors_at_the_end_of_an_upload(store, fake, code, status, expected):
    fake.script = [error(code, status)]
    with pytest.raises(expected):
        await store.finish(KEY, "u", PARTS)
    assert len(fake.asked) == 1


@pytest.mark.parametrize("answer", [cut, html(504), xml("")])
async def test_an_end_whose_answer_is_lost_is_not_asked_for_again(store, fake, answer):
    fake.script = [answer]
    with pytest.raises(FileStoreUnavailable):
        await store.finish(KEY, "u", PARTS)
    assert len(fake.asked) == 1


async def test_a_copy_that_fails_after_it_began_well_deletes_nothing(store, fake):
    async def there(request: web.Request) -> web.Response:
        return web.Response(headers={"Content-Length": "5"})

    fake.script = [there, error("AccessDenied", 200)]
    with pytest.raises(FileStoreUnavailable):
        await store.move(KEY, "c-1/f-2.bin")
    assert [one.partition(" ")[0] for one in fake.asked] == ["HEAD", "PUT"]


async def content_of(store: S3FileStore) -> bytes:
    return b"".join([chunk async for chunk in store.read(KEY)])


@pytest.mark.parametrize("ends", [True, False], ids=["cut", "stalled"])
async def test_an_object_that_stops_in_the_middle_is_not_taken_for_whole(store, fake, ends):
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x" * 500)
        return await cut(request) if ends else await fake.silence(request)

    fake.script = [half]
    with pytest.raises(FileStoreUnavailable):
        await content_of(store)


async def test_the_bucket_is_made_when_it_is_missing_even_if_another_was_quicker(store, fake):
    fake.script = [error("NoSuchBucket", 404), error("BucketAlreadyOwnedByYou", 409), fine]
    await store.put(KEY, b"x", TYPE)
    assert fake.asked == ["PUT /bucket/c-1/f-1.bin", "PUT /bucket", "PUT /bucket/c-1/f-1.bin"]


async def test_a_bucket_that_cannot_be_made_is_told(store, fake):
    fake.script = [error("NoSuchBucket", 404), error("AccessDenied", 403)]
    with pytest.raises(FileStoreUnavailable, match="has no bucket bucket"):
        await store.put(KEY, b"x", TYPE)


async def test_the_bytes_are_signed_as_they_are_and_no_md5_is_made(store, fake):
    fake.script = [fine]
    for data in (b"", b"small", bytes(200_000)):
        await store.put(KEY, data, TYPE)
        headers = fake.headers[-1]
        assert headers["x-amz-content-sha256"] == hashlib.sha256(data).hexdigest()
        assert headers["Content-Length"] == str(len(data))
        assert headers["Content-Type"] == TYPE
        assert "Content-MD5" not in headers
        assert "host;x-amz-content-sha256;x-amz-date" in headers["Authorization"]


def page(root: str, items: str, **more: str) -> Answer:
    following = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    truncated = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
    return xml(f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{truncated}{following}{items}</{root}>')


def part(number: int) -> str:
    return f"<Part><PartNumber>{number}</PartNumber><Size>7</Size><ETag>&quot;e{number}&quot;</ETag></Part>"


async def test_parts_are_listed_over_pages(store, fake):
    first = page("ListPartsResult", part(1) + part(2), NextPartNumberMarker="2")
    fake.script = [first, page("ListPartsResult", part(3))]
    assert await store.parts(KEY, "u") == [Part(number, 7, f"e{number}") for number in (1, 2, 3)]
    assert "part-number-marker=2" in fake.asked[1]


def upload(key: str, name: str) -> str:
    initiated = "<Initiated>2026-01-02T03:04:05.678Z</Initiated>"
    return f"<Upload><Key>{key}</Key><UploadId>{name}</UploadId>{initiated}</Upload>"


async def test_uploads_of_other_keys_with_the_same_beginning_are_left_alone(store, fake):
    first = page("R", upload(KEY, "u1") + upload(f"{KEY}.1", "not"), NextKeyMarker="k", NextUploadIdMarker="m")
    second, none = page("R", upload(KEY, "u2")), page("R", "")
    fake.script = [first, second, fine, error("NoSuchUpload", 404), none, fine]
    await store.discard(KEY)
    assert [one for one in fake.asked if one.startswith("DELETE")] == [
        f"DELETE /bucket/{KEY}?uploadId=u1",
        f"DELETE /bucket/{KEY}?uploadId=u2",
        f"DELETE /bucket/{KEY}",
    ]
    assert "key-marker=k" in fake.asked[1]
    assert "upload-id-marker=m" in fake.asked[1]


async def test_everything_goes_over_pages_and_tells_of_uploads_where_the_store_does(store, fake):
    def content(key: str) -> str:
        modified = "<LastModified>2026-01-02T03:04:05.678Z</LastModified>"
        return f"<Contents><Key>{key}</Key><Size>7</Size>{modified}</Contents>"

    first = page("R", content("c/1") + content(".ping") + content("not ours"), NextContinuationToken="t&amp;1")
    fake.script = [first, page("R", content("c/2")), page("R", upload("c/3", "u"))]
    found = [(one.key, one.size_bytes, one.is_whole, one.modified_at_ms) async for one in store.everything()]
    at = 1_767_323_045_678
    assert found == [("c/1", 7, True, at), ("c/2", 7, True, at), ("c/3", 0, False, at)]
    assert "continuation-token=t%261" in fake.asked[1]


async def test_over_https_the_bytes_are_signed_too_instead_of_an_md5_on_the_event_loop():
    calls = S3Calls(S3Config(url="https://s3.example", bucket="bucket", access_key="a", secret_key="s"), 1)
    client = calls._opened()
    data = bytes(200_000)
    headers, _ = await client._build_headers("s3.example", {}, Body(data), await client._provider.retrieve())
    assert headers["x-amz-content-sha256"] == hashlib.sha256(data).hexdigest()
    assert "Content-MD5" not in headers
    await calls.close()


async def test_a_reader_who_is_slower_than_the_time_out_still_gets_everything(fake, address):
    async def large(request: web.Request) -> web.Response:
        return web.Response(body=bytes(8 * 1024 * 1024))

    fake.script = [large]
    config = S3Config(url=address, bucket="bucket", access_key="a", secret_key="s", timeout_seconds=0.3)
    store, seen = S3FileStore(config), 0
    async for chunk in store.read(KEY):
        if not seen:
            await pass_time(0.8)  # as long as it takes, whatever the store does meanwhile
        seen += len(chunk)
    assert seen == 8 * 1024 * 1024
    await store.close()
