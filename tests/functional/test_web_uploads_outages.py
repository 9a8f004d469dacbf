"""Resumable uploads while a store or Cassandra is away, fails in the middle, or has lost something."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import StoreUnavailable
from domain.files import incomplete_part_key
from fakes.file_records import MemoryFileRecords
from fakes.file_store import SMALL_PART
from support.api import Api
from support.uploads import (
    SENT,
    SIZE,
    TUS,
    Sender,
    append,
    begin,
    is_the_file,
    look,
    offset_of,
    some_bytes,
)
from support.waiting import until

DATA = some_bytes(SIZE)


@pytest.mark.parametrize("size", [1_000, SIZE])
@pytest.mark.parametrize("method", ["put_part", "put", "begin", "abort", "finish", "read", "parts"])
async def test_while_the_store_fails_at_anything_it_is_503_and_goes_on_later(api: Api, method: str, size: int) -> None:
    token, data = await api.somebody(), DATA[:size]
    path = await begin(api, token, size)
    assert (await append(api, token, path, 0, data[:100])).status == 204
    api.services.upload_context.hashes.forget(path.rpartition("/")[2])
    api.file_store.failing = {method}
    answer = await append(api, token, path, 100, data[100:])
    assert answer.status in (503, 204)
    api.file_store.failing = set()
    while (offset := await offset_of(api, token, path)) < size:
        assert (await append(api, token, path, offset, data[offset:])).status == 204
    await is_the_file(api, token, path, data)


async def test_what_was_stored_before_the_store_went_away_is_not_sent_again(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    await until(lambda: [len(known.parts) for known in api.file_store.uploads.values()] == [2])
    api.file_store.available = False
    sender.send_more(DATA[SENT:])
    assert await sender.status() == 503
    api.file_store.available = True
    assert await offset_of(api, token, path) == 2 * SMALL_PART
    assert (await append(api, token, path, 2 * SMALL_PART, DATA[2 * SMALL_PART :])).status == 204
    await is_the_file(api, token, path, DATA)


async def test_while_cassandra_is_away_it_is_503(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    api.files.available = False
    assert (await append(api, token, path, 0, DATA)).status == 503
    assert (await api.call("DELETE", path, token=token, headers=TUS)).status == 503
    assert (await look(api, token, path)).status == 503
    api.files.available = True
    assert (await append(api, token, path, 0, DATA)).status == 204
    await is_the_file(api, token, path, DATA)


class Refusing:
    """``FileRecords`` whose method ``name`` fails ``times`` times, before or after it has done its work."""

    def __init__(self, records: MemoryFileRecords, name: str, times: int = 1, *, afterwards: bool = False) -> None:
        self._records, self._name, self._times, self._afterwards = records, name, times, afterwards

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._records, name)
        if name != self._name or self._times <= 0:
            return method

        async def failing(*args: object, **kwargs: object) -> Any:
            self._times -= 1
            if self._afterwards:
                await method(*args, **kwargs)
            raise StoreUnavailable("no answer")

        return failing


@pytest.mark.parametrize("size", [1_000, SIZE])
@pytest.mark.parametrize("afterwards", [True, False])
@pytest.mark.parametrize("asks_with", ["HEAD", "PATCH"])
async def test_what_is_whole_in_the_store_but_no_file_yet_becomes_one(
    api: Api, size: int, afterwards: bool, asks_with: str
) -> None:
    token, data, records = await api.somebody(), DATA[:size], api.files
    path = await begin(api, token, size)
    object.__setattr__(api.services.upload_context, "files", Refusing(records, "finish", afterwards=afterwards))
    assert (await append(api, token, path, 0, data)).status == 503
    assert len(api.file_store.objects) == 1, "it may be a file, so nothing of it may go"
    api.services.upload_context.hashes.forget(path.rpartition("/")[2])
    if size == SIZE or afterwards:
        if asks_with == "HEAD":
            assert await offset_of(api, token, path) == size
        else:
            assert (await append(api, token, path, size)).status == 204
    else:  # one part is sent again rather than told of twice
        assert await offset_of(api, token, path) == 0
        assert (await append(api, token, path, 0, data)).status == 204
    await is_the_file(api, token, path, data)


async def test_bytes_that_the_store_has_lost_are_asked_for_again(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    upload_id = path.rpartition("/")[2]
    assert (await append(api, token, path, 0, DATA[:SENT])).status == 204
    await api.file_store.discard(incomplete_part_key(upload_id, SENT))
    answer = await append(api, token, path, SENT, DATA[SENT:])
    assert (answer.status, answer.headers["Upload-Offset"]) == (409, str(2 * SMALL_PART))
    assert (await append(api, token, path, 2 * SMALL_PART, DATA[2 * SMALL_PART : -1])).status == 204
    api.file_store.uploads.clear()
    answer = await append(api, token, path, SIZE - 1, DATA[-1:])
    assert (answer.status, answer.headers["Upload-Offset"]) == (409, "0")
    await api.file_store.discard(incomplete_part_key(upload_id, SIZE - 1))  # as the sweeper would
    assert (await append(api, token, path, 0, DATA)).status == 204
    await is_the_file(api, token, path, DATA)


@pytest.mark.parametrize("sent", [SMALL_PART + 10, 2 * SMALL_PART])
@pytest.mark.parametrize("more", [10, SMALL_PART + 10, SIZE])
async def test_an_upload_that_the_store_has_lost_begins_anew(api: Api, sent: int, more: int) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    assert (await append(api, token, path, 0, DATA[:sent])).status == 204
    api.file_store.uploads.clear()
    answer = await append(api, token, path, sent, DATA[sent : sent + more])
    if answer.status == 204:  # all of it fits into the tail, which needs no upload in parts
        answer = await append(api, token, path, sent + more, DATA[sent + more :])
    assert (answer.status, answer.headers["Upload-Offset"]) == (409, "0")
    assert (await append(api, token, path, 0, DATA)).status == 204
    assert api.file_store.objects[next(key for key in api.file_store.objects if key.startswith("c-1/"))][0] == DATA


async def test_a_store_that_failed_names_no_host(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    api.file_store.failing = {"put_part"}
    answer = await append(api, token, path, 0, DATA)
    assert "switched off" not in await answer.text()
