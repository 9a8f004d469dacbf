"""Presigned links on the real MinIO: what they give, to whom, for how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from domain.errors import FileStoreUnavailable
from domain.files import File, FileMetadata, storage_key
from storage.s3 import S3FileStore
from support.proxy import Proxy
from support.servers import RunningMinio
from support.transfers import some_bytes
from support.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]
DATA = some_bytes(300_000)  # the same in all processes: pytest-xdist compares the names of the tests
NAME = 'relatório "final"\r\nX-Evil: 1; 100%.pdf'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(minio: RunningMinio) -> AsyncIterator[S3FileStore]:
    """It reaches the store by one address, and clients by another, of another name."""
    proxy = Proxy("127.0.0.1", minio.port)
    await proxy.on()
    config = minio.config(public_url=f"http://localhost:{proxy.port}")
    made = S3FileStore(config)
    yield made
    await made.close()
    await proxy.off()
    await minio.delete_bucket(config)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def file(store) -> File:
    key = storage_key("c/1 ü", "f-1", "a.pdf")
    await store.put(key, DATA, "text/html")
    return File("f-1", "c/1 ü", "u-1", FileMetadata(NAME, len(DATA), "application/pdf", "sha256:" + "0" * 64, key), 0)


@pytest_asyncio.fixture(loop_scope="module")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def link_of(store: S3FileStore, file: File, seconds: int = 60) -> str:
    return store.link(file, seconds, time.time_ns() // 1_000_000)


async def status_of(client: aiohttp.ClientSession, url: str, method: str = "GET") -> int:
    async with client.request(method, URL(url, encoded=True)) as response:
        return response.status


async def test_a_link_gives_the_file_as_an_attachment_under_its_name_and_type(store, file, client):
    link = link_of(store, file)
    assert link.startswith("http://localhost:")
    async with client.get(link) as response:
        assert (response.status, await response.read()) == (200, DATA)
        assert response.headers["Content-Type"] == "application/pdf"
        assert response.content_disposition.type == "attachment"
        assert response.content_disposition.filename == NAME
        assert "X-Evil" not in response.headers


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        ("bytes=0-9", 206, DATA[:10]),
        ("bytes=299990-", 206, DATA[-10:]),
        ("bytes=-10", 206, DATA[-10:]),
        ("bytes=100-400000", 206, DATA[100:]),
        ("bytes=300000-", 416, None),
    ],
)
async def test_a_link_gives_ranges(store, file, client, wanted, status, expected):
    async with client.get(link_of(store, file), headers={"Range": wanted}) as response:
        assert response.status == status
        if expected is not None:
            assert await response.read() == expected
            assert response.headers["Content-Range"].endswith("/300000")


async def test_an_expired_link_is_refused(store, file, client):
    link = link_of(store, file, seconds=2)
    assert await status_of(client, link) == 200

    async def has_expired() -> bool:
        return await status_of(client, link) != 200

    await until(has_expired, 15, look_seconds=0.1)
    assert await status_of(client, link) == 403


async def test_a_link_that_was_changed_is_refused(store, file, client):
    link = link_of(store, file)
    signature = link.rpartition("=")[2]
    changed = {
        "signature": link.replace(signature, signature[:-1] + ("0" if signature[-1] != "0" else "1")),
        "no signature": link.rpartition("&")[0],
        "object": link.replace("f-1", "f-2"),
        "expiry": link.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        "type": link.replace("application%2Fpdf", "text%2Fhtml"),
        "disposition": link.replace("attachment", "inline"),
        "address": link.replace("localhost", "127.0.0.1"),
        "other bucket": link.replace(store._config.bucket, "somebody-elses"),
    }
    assert len({link, *changed.values()}) == len(changed) + 1
    statuses = {what: await status_of(client, url) for what, url in changed.items()}
    assert statuses.pop("no signature") in (400, 403)
    assert set(statuses.values()) == {403}
    assert await status_of(client, link) == 200


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_a_link_is_good_for_reading_only(store, file, client, method):
    assert await status_of(client, link_of(store, file), method) in (400, 403, 405)
    assert await store.size(file.metadata.storage_path) == len(DATA)


async def test_without_a_link_nobody_gets_anything(store, file, client):
    bare = link_of(store, file).partition("?")[0]
    for url in (bare, bare.rpartition("/")[0], bare.replace("/f-1.pdf", "")):
        assert await status_of(client, url) in (403, 404)


@pytest.mark.parametrize(
    ("keys", "code"),
    [({"secret_key": "another-secret"}, "SignatureDoesNotMatch"), ({"access_key": "nobody"}, "InvalidAccessKeyId")],
)
async def test_wrong_keys_are_told_in_the_words_of_the_store(store, file, keys, code, caplog):
    stranger = S3FileStore(replace(store._config, **keys))
    with pytest.raises(FileStoreUnavailable, match=code):
        await stranger.ping()
    assert code in caplog.text
    assert "another-secret" not in caplog.text
    await stranger.close()


async def test_processes_that_start_together_make_one_bucket(minio):
    config = minio.config()
    stores = [S3FileStore(config) for _ in range(6)]
    await asyncio.gather(*(one.put(f"c/{number}", b"x", "text/plain") for number, one in enumerate(stores)))
    assert [one.key async for one in stores[0].everything()] == [f"c/{number}" for number in range(6)]
    for one in stores:
        await one.close()
    await minio.delete_bucket(config)
