"""Uploads that break off: by the client, by a store, by the end of a process. What was durable is not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.file_store import SMALL_PART
from support.api import Api, StartApi
from support.uploads import (
    SENT,
    SIZE,
    TUS,
    Sender,
    append,
    begin,
    checksum_header,
    is_the_file,
    look,
    nothing_is_left,
    offset_of,
    some_bytes,
)
from support.waiting import pass_time, stays, until

DATA = some_bytes(SIZE)


async def test_what_came_before_the_client_vanished_is_kept(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    sender.vanish()
    await until(lambda: api.services.upload_limit.under_way == 0)
    assert await offset_of(api, token, path) == SENT
    assert (await append(api, token, path, SENT, DATA[SENT:])).status == 204
    await is_the_file(api, token, path, DATA)


async def test_what_came_before_the_client_fell_silent_is_kept(start_api: StartApi) -> None:
    async with start_api(upload_stall_seconds=0.2) as api:
        token = await api.somebody()
        path = await begin(api, token, SIZE)
        sender = Sender(api, token, path)
        await sender.send(DATA[:SENT])
        assert await sender.status() == 408
        assert await offset_of(api, token, path) == SENT
        assert (await append(api, token, path, SENT, DATA[SENT:])).status == 204
        await is_the_file(api, token, path, DATA)


async def test_of_a_request_with_a_checksum_that_broke_off_nothing_counts(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    assert (await append(api, token, path, 0, DATA[:100])).status == 204
    sender = Sender(api, token, path, 100, **checksum_header(DATA[100:]))
    await sender.send(DATA[100:SENT])
    sender.vanish()
    await until(lambda: api.services.upload_limit.under_way == 0)
    assert await offset_of(api, token, path) == 100
    assert (await append(api, token, path, 100, DATA[100:], **checksum_header(DATA[100:]))).status == 204
    await is_the_file(api, token, path, DATA)


@pytest.mark.parametrize("comes_back_with", ["HEAD", "PATCH", "DELETE"])
async def test_a_client_that_comes_back_does_not_wait_for_its_dead_connection(api: Api, comes_back_with: str) -> None:
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


async def test_the_newest_of_many_requests_wins(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    senders = [Sender(api, token, path, offset) for offset in range(0, 500, 100)]
    for sender, start in zip(senders, range(0, 500, 100), strict=True):
        await sender.send(DATA[start : start + 100])
    assert [await sender.status() for sender in senders[:-1]] == [409] * 4
    assert await offset_of(api, token, path) == 500
    assert (await append(api, token, path, 500, DATA[500:])).status == 204
    await is_the_file(api, token, path, DATA)


async def test_at_another_process_one_waits_until_the_first_lets_go(two: tuple[Api, Api]) -> None:
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
    await until(lambda: one.services.upload_limit.under_way == 0)
    assert await offset_of(other, token, path) == SENT
    assert (await append(other, token, path, SENT, DATA[SENT:])).status == 204
    await is_the_file(one, token, path, DATA)


async def test_after_a_kill_another_process_goes_on_from_what_the_last_renewal_said(start_api: StartApi) -> None:
    async with start_api(upload_hold_seconds=0.3) as one:
        token = await one.somebody()
        path = await begin(one, token, SIZE)
        row = one.files.rows[path.rpartition("/")[2]]
        sender = Sender(one, token, path)
        await sender.send(DATA[:SENT])
        await until(lambda: one.files.rows[row.upload_id].offset_bytes == 2 * SMALL_PART)
        one.files.available = one.file_store.available = False  # it can do nothing any more: as if it were gone
        sender.vanish()
        await until(lambda: one.services.upload_limit.under_way == 0)
        one.files.available = one.file_store.available = True
        one.clock.now_ms += 300
        one.services.upload_context.hashes.forget(row.upload_id)
        assert await offset_of(one, token, path) == 2 * SMALL_PART
        assert (await append(one, token, path, 2 * SMALL_PART, DATA[2 * SMALL_PART :])).status == 204
        await is_the_file(one, token, path, DATA)


async def test_who_lost_the_hold_stores_no_more_and_says_so(start_api: StartApi) -> None:
    async with start_api(upload_hold_seconds=30) as one:
        token = await one.somebody()
        path = await begin(one, token, SIZE)
        upload_id = path.rpartition("/")[2]
        sender = Sender(one, token, path)
        await sender.send(DATA[:1_000])
        now_ms = one.clock.now_ms = one.clock.now_ms + 31_000  # it slept
        taken = await one.files.acquire_lease(upload_id, "another", now_ms, now_ms + 1_000)
        assert taken.offset_bytes == 0
        sender.send_more(DATA[1_000:SENT])
        assert await sender.status() == 409
        assert not one.file_store.uploads
        assert one.files.rows[upload_id].holder == "another"
        one.clock.now_ms += 1_000
        assert (await append(one, token, path, 0, DATA)).status == 204
        await is_the_file(one, token, path, DATA)


async def test_a_process_that_stops_keeps_what_came_and_says_so(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    api.services.uploads.resumable.stop()
    assert await sender.status() == 503
    assert api.files.rows[path.rpartition("/")[2]].offset_bytes == SENT
    assert (await append(api, token, path, SENT, DATA[SENT:])).status == 503


async def test_a_request_that_is_cancelled_keeps_what_is_stored(start_api: StartApi) -> None:
    async with start_api() as api:
        token = await api.somebody()
        path = await begin(api, token, SIZE)
        sender = Sender(api, token, path)
        await sender.send(DATA[:SENT])
    assert api.files.rows[path.rpartition("/")[2]].offset_bytes == SENT


async def test_other_requests_of_a_user_do_not_keep_an_upload_from_going_on(start_api: StartApi) -> None:
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


async def test_a_stranger_does_not_stop_an_upload(api: Api) -> None:
    token, stranger = await api.somebody(), await api.somebody()
    path = await begin(api, token, SIZE)
    sender = Sender(api, token, path)
    await sender.send(DATA[:SENT])
    assert (await look(api, stranger, path)).status == 404
    assert (await append(api, stranger, path, 0, b"x")).status == 404
    sender.send_more(DATA[SENT:])
    assert await sender.status() == 204
    await is_the_file(api, token, path, DATA)


def finishing_slowly(api: Api) -> tuple[asyncio.Event, asyncio.Event]:
    """Make the store wait in the middle of making an object: set once it does, and to be set for it to go on."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    finish = api.file_store.finish

    async def slowly(*args: object) -> None:
        reached.set()
        await go_on.wait()
        await finish(*args)

    api.file_store.finish = slowly
    return reached, go_on


async def test_while_a_file_is_being_made_whoever_asks_waits_for_it(api: Api) -> None:
    token = await api.somebody()
    path = await begin(api, token, SIZE)
    reached, go_on = finishing_slowly(api)
    sending = asyncio.create_task(append(api, token, path, 0, DATA))
    await reached.wait()
    asking = asyncio.create_task(offset_of(api, token, path))
    await stays(lambda: not asking.done(), 0.05)
    go_on.set()
    assert (await sending).status == 204
    assert await asking == SIZE
    await is_the_file(api, token, path, DATA)


async def test_while_another_process_makes_it_a_file_its_end_is_not_told(two: tuple[Api, Api]) -> None:
    one, other = two
    token = await one.somebody()
    path = await begin(one, token, SIZE)
    reached, go_on = finishing_slowly(one)
    sending = asyncio.create_task(append(one, token, path, 0, DATA))
    await reached.wait()
    assert (await look(other, token, path)).status == 423
    go_on.set()
    assert (await sending).status == 204
    assert await offset_of(other, token, path) == SIZE
    await is_the_file(one, token, path, DATA)


async def test_bytes_come_slower_than_the_hold_lasts(start_api: StartApi) -> None:
    async with start_api(upload_hold_seconds=0.15) as api:
        token = await api.somebody()

        async def slowly() -> AsyncIterator[bytes]:
            for start in range(0, SIZE, SIZE // 8):
                yield DATA[start : start + SIZE // 8]
                api.clock.now_ms += 60
                await pass_time(0.06)

        path = await begin(api, token, SIZE)
        assert (await append(api, token, path, 0, slowly())).status == 204
        await is_the_file(api, token, path, DATA)
