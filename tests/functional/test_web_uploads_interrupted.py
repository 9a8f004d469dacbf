"""Uploads that break off: by the client, by a store, by the end of a process. What was durable is not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.errors import StoreUnavailable
from domain.files import PART_BYTES, tail_key
from support.fakes import until
from support.uploads import (
    TUS,
    append,
    begin,
    checksum_header,
    is_the_file,
    look,
    nothing_is_left,
    offset_of,
    some_bytes,
)
from web.uploads.tus import OFFSET_STREAM

SIZE = 3 * PART_BYTES
DATA = some_bytes(SIZE)
SENT = PART_BYTES * 2 + 1_000


class Sender:
    """A client that has announced all that is left of an upload, and sends as much of it as it is told to."""

    def __init__(self, api: Any, token: str, path: str, offset: int = 0, **headers: str) -> None:
        self.api = api
        fields = {**TUS, "Content-Type": OFFSET_STREAM, "Upload-Offset": str(offset), "Host": "x",
                  "Content-Length": str(SIZE - offset), "Authorization": f"Bearer {token}", **headers}  # fmt: skip
        self._head = f"PATCH {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send the head and ``data``; return once the API has taken it."""
        received = self.api.deps.metrics.file_bytes_received
        before = received.count
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.api.port)
        self._writer.write(f"{self._head}\r\n".encode() + data)
        await until(lambda: received.count == before + len(data))

    async def status(self) -> int:
        """Return the status of the answer."""
        line = await asyncio.wait_for(self._reader.readline(), 10)
        return int(line.split()[1])

    def vanish(self) -> None:
        self._writer.transport.abort()


async def test_what_came_before_the_client_vanished_is_kept(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    sender.vanish()
    await until(lambda: api.deps.upload_gate.under_way == 0)
    assert await offset_of(api, token, path) == SENT
    assert (await append(api, token, path, SENT, DATA[SENT:])).status == 204
    await is_the_file(api, token, path, DATA)


async def test_what_came_before_the_client_fell_silent_is_kept(start_api: Any) -> None:
    async with start_api(upload_stall_seconds=0.2) as api:
        token = await api.somebody()
        path = await begin(api, token, SIZE)
        sender = Sender(api, token, path)
        await sender.send(DATA[:SENT])
        assert await sender.status() == 408
        assert await offset_of(api, token, path) == SENT
        assert (await append(api, token, path, SENT, DATA[SENT:])).status == 204
        await is_the_file(api, token, path, DATA)


async def test_of_a_request_with_a_checksum_that_broke_off_nothing_counts(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    assert (await append(api, token, path, 0, DATA[:100])).status == 204
    sender = Sender(api, token, path, 100, **checksum_header(DATA[100:]))
    await sender.send(DATA[100:SENT])
    sender.vanish()
    await until(lambda: api.deps.upload_gate.under_way == 0)
    assert await offset_of(api, token, path) == 100
    assert (await append(api, token, path, 100, DATA[100:], **checksum_header(DATA[100:]))).status == 204
    await is_the_file(api, token, path, DATA)


@pytest.mark.parametrize("comes_back_with", ["HEAD", "PATCH", "DELETE"])
async def test_a_client_that_comes_back_does_not_wait_for_its_dead_connection(api: Any, comes_back_with: str) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    half_open = Sender(api, token, path)
    await half_open.send(DATA[:SENT])
    if comes_back_with == "HEAD":
        assert await offset_of(api, token, path) == SENT
    elif comes_back_with == "PATCH":  # it knows nothing of what arrived
        answer = await append(api, token, path, 0, DATA)
        assert (answer.status, answer.headers["Upload-Offset"]) == (409, str(SENT))
    else:
        assert (await api.call("DELETE", path, token=token, headers=TUS)).status == 204
        assert nothing_is_left(api)
    assert await half_open.status() == 409
    if comes_back_with != "DELETE":
        assert (await append(api, token, path, SENT, DATA[SENT:])).status == 204
        await is_the_file(api, token, path, DATA)


async def test_the_newest_of_many_requests_wins(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    senders = [Sender(api, token, path, offset) for offset in range(0, 500, 100)]
    for sender, start in zip(senders, range(0, 500, 100), strict=True):
        await sender.send(DATA[start : start + 100])
    assert [await sender.status() for sender in senders[:-1]] == [409] * 4
    assert await offset_of(api, token, path) == 500
    assert (await append(api, token, path, 500, DATA[500:])).status == 204
    await is_the_file(api, token, path, DATA)


async def test_at_another_process_one_waits_until_the_first_lets_go(two: Any) -> None:
    one, other = two
    token = await one.somebody()
    path = await begin(one, token, SIZE)
    sender = Sender(one, token, path)
    await sender.send(DATA[:SENT])
    for call in (append(other, token, path, 0, DATA), other.call("DELETE", path, token=token, headers=TUS)):
        answer = await call
        assert answer.status == 423
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert await offset_of(other, token, path) == 0  # of what is not in the row yet it cannot know
    sender.vanish()
    await until(lambda: one.deps.upload_gate.under_way == 0)
    assert await offset_of(other, token, path) == SENT
    assert (await append(other, token, path, SENT, DATA[SENT:])).status == 204
    await is_the_file(one, token, path, DATA)


async def test_after_a_kill_another_process_goes_on_from_what_the_last_renewal_said(start_api: Any) -> None:
    async with start_api(upload_hold_seconds=0.3) as one:
        token = await one.somebody()
        path = await begin(one, token, SIZE)
        row = one.files.rows[path.rpartition("/")[2]]
        sender = Sender(one, token, path)
        await sender.send(DATA[:SENT])
        await until(lambda: one.files.rows[row.upload_id].offset_bytes == 2 * PART_BYTES)
        one.files.available = one.file_store.available = False  # it can do nothing any more: as if it were gone
        sender.vanish()
        await until(lambda: one.deps.upload_gate.under_way == 0)
        one.files.available = one.file_store.available = True
        one.clock.now_ms += 300
        one.deps.resumable.hashes.forget(row.upload_id)
        assert await offset_of(one, token, path) == 2 * PART_BYTES
        assert (await append(one, token, path, 2 * PART_BYTES, DATA[2 * PART_BYTES :])).status == 204
        await is_the_file(one, token, path, DATA)


async def test_who_lost_the_hold_stores_no_more_and_says_so(start_api: Any) -> None:
    async with start_api(upload_hold_seconds=30) as one:
        token = await one.somebody()
        path = await begin(one, token, SIZE)
        upload_id = path.rpartition("/")[2]
        sender = Sender(one, token, path)
        await sender.send(DATA[:1_000])
        now_ms = one.clock.now_ms = one.clock.now_ms + 31_000  # it slept
        taken = await one.files.take(upload_id, "another", now_ms, now_ms + 1_000)
        assert taken.offset_bytes == 0
        sender._writer.write(DATA[1_000:SENT])
        assert await sender.status() == 409
        assert not one.file_store.uploads
        assert one.files.rows[upload_id].holder == "another"
        one.clock.now_ms += 1_000
        assert (await append(one, token, path, 0, DATA)).status == 204
        await is_the_file(one, token, path, DATA)


@pytest.mark.parametrize("size", [1_000, SIZE])
@pytest.mark.parametrize("method", ["put_part", "put", "begin", "abort", "finish", "read", "parts"])
async def test_while_the_store_fails_at_anything_it_is_503_and_goes_on_later(api: Any, method: str, size: int) -> None:
    token, data = await api.somebody(), DATA[:size]
    path = await begin(api, token, size)
    assert (await append(api, token, path, 0, data[:100])).status == 204
    api.deps.resumable.hashes.forget(path.rpartition("/")[2])
    api.file_store.failing = {method}
    answer = await append(api, token, path, 100, data[100:])
    assert answer.status in (503, 204)
    api.file_store.failing = set()
    while (offset := await offset_of(api, token, path)) < size:
        assert (await append(api, token, path, offset, data[offset:])).status == 204
    await is_the_file(api, token, path, data)


async def test_what_was_stored_before_the_store_went_away_is_not_sent_again(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    await until(lambda: [len(known.parts) for known in api.file_store.uploads.values()] == [2])
    api.file_store.available = False
    sender._writer.write(DATA[SENT:])
    assert await sender.status() == 503
    api.file_store.available = True
    assert await offset_of(api, token, path) == 2 * PART_BYTES
    assert (await append(api, token, path, 2 * PART_BYTES, DATA[2 * PART_BYTES :])).status == 204
    await is_the_file(api, token, path, DATA)


async def test_while_cassandra_is_away_it_is_503(api: Any) -> None:
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

    def __init__(self, records: Any, name: str, times: int = 1, *, afterwards: bool = False) -> None:
        self._records, self._name, self._times, self._afterwards = records, name, times, afterwards

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._records, name)
        if name != self._name or self._times <= 0:
            return method

        async def failing(*args: Any, **kwargs: Any) -> Any:
            self._times -= 1
            if self._afterwards:
                await method(*args, **kwargs)
            raise StoreUnavailable("no answer")

        return failing


@pytest.mark.parametrize("size", [1_000, SIZE])
@pytest.mark.parametrize("afterwards", [True, False])
@pytest.mark.parametrize("asks_with", ["HEAD", "PATCH"])
async def test_what_is_whole_in_the_store_but_no_file_yet_becomes_one(
    api: Any, size: int, afterwards: bool, asks_with: str
) -> None:
    token, data, records = await api.somebody(), DATA[:size], api.files
    path = await begin(api, token, size)
    object.__setattr__(api.deps, "files", Refusing(records, "finish", afterwards=afterwards))
    assert (await append(api, token, path, 0, data)).status == 503
    assert len(api.file_store.objects) == 1, "it may be a file, so nothing of it may go"
    api.deps.resumable.hashes.forget(path.rpartition("/")[2])
    if size == SIZE or afterwards:
        if asks_with == "HEAD":
            assert await offset_of(api, token, path) == size
        else:
            assert (await append(api, token, path, size)).status == 204
    else:  # one part is sent again rather than told of twice
        assert await offset_of(api, token, path) == 0
        assert (await append(api, token, path, 0, data)).status == 204
    await is_the_file(api, token, path, data)


async def test_bytes_that_the_store_has_lost_are_asked_for_again(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    upload_id = path.rpartition("/")[2]
    assert (await append(api, token, path, 0, DATA[:SENT])).status == 204
    await api.file_store.discard(tail_key(upload_id, SENT))
    answer = await append(api, token, path, SENT, DATA[SENT:])
    assert (answer.status, answer.headers["Upload-Offset"]) == (409, str(2 * PART_BYTES))
    assert (await append(api, token, path, 2 * PART_BYTES, DATA[2 * PART_BYTES : -1])).status == 204
    api.file_store.uploads.clear()
    answer = await append(api, token, path, SIZE - 1, DATA[-1:])
    assert (answer.status, answer.headers["Upload-Offset"]) == (409, "0")
    await api.file_store.discard(tail_key(upload_id, SIZE - 1))  # as the sweeper would
    assert (await append(api, token, path, 0, DATA)).status == 204
    await is_the_file(api, token, path, DATA)


async def test_a_process_that_stops_keeps_what_came_and_says_so(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    api.deps.resumable.stop()
    assert await sender.status() == 503
    assert api.files.rows[path.rpartition("/")[2]].offset_bytes == SENT
    assert (await append(api, token, path, SENT, DATA[SENT:])).status == 503


async def test_a_request_that_is_cancelled_keeps_what_is_stored(start_api: Any) -> None:
    async with start_api() as api:
        token = await api.somebody()
        path = await begin(api, token, SIZE)
        sender = Sender(api, token, path)
        await sender.send(DATA[:SENT])
    assert api.files.rows[path.rpartition("/")[2]].offset_bytes == SENT


async def test_other_requests_of_a_user_do_not_keep_an_upload_from_going_on(start_api: Any) -> None:
    async with start_api(uploads_per_user=1) as api:
        token = await api.somebody()
        path, another = await begin(api, token, SIZE), await begin(api, token, SIZE)
        half_open = Sender(api, token, path)
        await half_open.send(DATA[:SENT])
        assert (await append(api, token, another, 0, DATA)).status == 503
        assert (await append(api, token, path, SENT, DATA[SENT:])).status in (204, 409)
        while (offset := await offset_of(api, token, path)) < SIZE:
            assert (await append(api, token, path, offset, DATA[offset:])).status == 204
        await is_the_file(api, token, path, DATA)


async def test_a_stranger_does_not_stop_an_upload(api: Any) -> None:
    token, stranger = await api.somebody(), await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    assert (await look(api, stranger, path)).status == 404
    assert (await append(api, stranger, path, 0, b"x")).status == 404
    sender._writer.write(DATA[SENT:])
    assert await sender.status() == 204
    await is_the_file(api, token, path, DATA)


async def test_while_a_file_is_being_made_whoever_asks_waits_for_it(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    reached, go_on = asyncio.Event(), asyncio.Event()
    finish = api.file_store.finish

    async def slowly(*args: Any) -> None:
        reached.set()
        await go_on.wait()
        await finish(*args)

    api.file_store.finish = slowly
    sending = asyncio.create_task(append(api, token, path, 0, DATA))
    await reached.wait()
    asking = asyncio.create_task(offset_of(api, token, path))
    await asyncio.sleep(0.05)
    assert not asking.done()
    go_on.set()
    assert (await sending).status == 204
    assert await asking == SIZE
    await is_the_file(api, token, path, DATA)


async def test_bytes_come_slower_than_the_hold_lasts(start_api: Any) -> None:
    async with start_api(upload_hold_seconds=0.15) as api:
        token = await api.somebody()

        async def slowly() -> AsyncIterator[bytes]:
            for start in range(0, SIZE, SIZE // 8):
                yield DATA[start : start + SIZE // 8]
                api.clock.now_ms += 60
                await asyncio.sleep(0.06)

        path = await begin(api, token, SIZE)
        assert (await append(api, token, path, 0, slowly())).status == 204
        await is_the_file(api, token, path, DATA)


async def test_a_store_that_failed_names_no_host(api: Any) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    api.file_store.failing = {"put_part"}
    answer = await append(api, token, path, 0, DATA)
    assert "switched off" not in await answer.text()
