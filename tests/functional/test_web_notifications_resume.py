"""Whatever breaks off and whichever process is next: each message comes to each connection's user exactly once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aiohttp import WSMsgType

from domain.records import MessageAccepted
from support.api import Api
from support.waiting import pass_time, stays
from support.watching import Watcher, connect, fact, member, message, watch
from web.live.positions import Positions

MESSAGES = 300
CONVERSATIONS = 7


async def collect(watcher: Watcher, count: int) -> None:
    """Take at most ``count`` frames, as long as some come."""
    for _ in range(count):
        try:
            await asyncio.wait_for(watcher.frame(), 0.05)
        except TimeoutError:
            return


@pytest.mark.parametrize("seed", range(6))
async def test_the_frames_over_all_resumes_are_every_message_once(
    api: Api, other_api: Api, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    # turns so short that a resume takes several, and is overtaken by what is new
    monkeypatch.setattr("web.live.replayer.SLICE_RECORDS", chance.choice([3, 20, 5_000]))
    monkeypatch.setattr("web.live.resumption.SLICE_RECORDS", chance.choice([3, 20, 5_000]))
    log, processes = api.live_log, api.live_log.processes
    names = [f"c-{n}" for n in range(CONVERSATIONS)]
    token, _ = await member(api, *names[:-1])
    watcher = await watch(api, token)
    written = asyncio.Event()

    async def write() -> None:
        for number in range(MESSAGES):
            conversation = chance.choice(names)
            log.message(message(number, conversation))
            for status in chance.sample(["SENT", "DELIVERED", "READ"], chance.randrange(4)):
                log.fact(fact(number, status, conversation=conversation))
            for process in processes:
                process.is_paused = chance.random() < 0.3
            if chance.random() < 0.4:
                log_index = chance.randrange(2 * log.partitions)
                log.read_on(chance.choice(processes), log_index, len(log.partition_logs[log_index]))
            await pass_time(0.001)
        for process in processes:
            process.is_paused = False
        log.spread()
        written.set()

    writing = asyncio.create_task(write())
    frames: list[dict[str, Any]] = []
    cursor = watcher.cursor
    while True:
        done = written.is_set()
        await collect(watcher, 10_000 if done else chance.randrange(1, 30))
        frames += watcher.frames
        cursor = watcher.cursor or cursor  # on a busy machine it may be cut before its greeting
        if done:
            break
        if chance.random() < 0.5:
            watcher.socket._response.connection.transport.abort()  # type: ignore[union-attr]
        else:
            await watcher.socket.close()
        watcher = Watcher(await connect(chance.choice([api, other_api]), token, cursor))
    await writing

    wanted = [
        [f"m-{m.partition(b'm-')[2].partition(bytes([34]))[0].decode()}" for m in values]
        for values in ([e.value for e in log.partition_logs[log_index]] for log_index in range(log.partitions))
    ]
    pushed = [frame["message_id"] for frame in frames if frame["type"] == "new_message"]
    mine = {frame["message_id"]: frame["conversation_id"] for frame in frames if frame["type"] == "new_message"}
    assert not [frame for frame in frames if frame["type"] == "resync_required"]
    assert len(pushed) == len(set(pushed))
    assert set(mine.values()) <= set(names[:-1])
    for log_index in wanted:
        for name in names[:-1]:
            theirs = [i for i in log_index if mine.get(i) == name]
            assert [i for i in pushed if mine[i] == name and i in set(log_index)] == theirs
    outside = sum(
        b'"c-%d"' % (CONVERSATIONS - 1) in e.value
        for log_index in log.partition_logs[: log.partitions]
        for e in log_index
    )
    assert len(pushed) == MESSAGES - outside
    last_words: dict[str, str] = {f["message_id"]: f["status"] for f in frames if f["type"] == "status"}
    for message_id in mine:
        state = api.recent.get(message_id).state
        assert last_words.get(message_id, "ACCEPTED") == state.status


async def test_many_who_resume_together_are_served_by_few_readings(api: Api) -> None:
    token, _ = await member(api, "c-1")
    first = await watch(api, token)
    for number in range(100):
        api.live_log.message(message(number))
    watchers = await asyncio.gather(*(watch(api, token, first.cursor) for _ in range(19)))
    for watcher in watchers:
        assert [(await watcher.frame())["message_id"] for _ in range(100)] == [f"m-{n}" for n in range(100)]
    assert api.live_log.reads <= 10


async def test_one_who_reads_slowly_while_resuming_holds_up_nobody(api: Api) -> None:
    token, _ = await member(api, "c-1")
    other, _ = await member(api, "c-1")
    first = await watch(api, token)
    await first.socket.close()
    count = 300
    for number in range(count):
        api.live_log.message(MessageAccepted(f"m-{number}", "c-1", "u-9", "telegram:12345", "x" * 10_000))
    lazy = Watcher(await connect(api, token, first.cursor))
    lazy.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    quick = await watch(api, other, first.cursor)
    for number in range(count):
        assert (await quick.frame())["message_id"] == f"m-{number}"
    lazy.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
    got: list[str] = []
    while len(got) < count:
        frame = await lazy.socket.receive(5)
        assert frame.type is WSMsgType.TEXT
        if (data := frame.json())["type"] == "new_message":
            got.append(data["message_id"])
    assert got == [f"m-{number}" for number in range(count)]


async def test_since_sends_what_was_missed_and_then_goes_on(api: Api) -> None:
    token, _ = await member(api, "c-1", "c-2", "c-3")
    first = await watch(api, token)
    api.live_log.message(message(0))
    await first.frame()
    await first.socket.close()
    for number in range(1, 40):
        api.live_log.message(message(number, f"c-{number % 4}"))
        api.live_log.fact(fact(number, "SENT", conversation=f"c-{number % 4}"))
    again = await watch(api, token, first.cursor)
    missed = {f"m-{number}" for number in range(1, 40) if number % 4}
    frames = [await again.frame() for _ in range(2 * len(missed))]
    for kind in ("new_message", "status"):
        ids = [frame["message_id"] for frame in frames if frame["type"] == kind]
        assert len(ids) == len(missed)
        assert set(ids) == missed
    assert [frame["type"] for frame in frames] == ["new_message"] * len(missed) + ["status"] * len(missed)
    api.live_log.message(message(99))
    assert (await again.frame())["message_id"] == "m-99"


async def test_since_with_nothing_missed_reads_nothing(api: Api) -> None:
    token, _ = await member(api)
    first = await watch(api, token)
    again = await watch(api, token, first.cursor)
    await again.quiet()
    assert api.live_log.reads == 0
    api.live_log.message(message(1))
    assert (await again.frame())["message_id"] == "m-1"


async def test_a_stranger_gets_nothing_by_the_cursor_of_another(api: Api) -> None:
    token, _ = await member(api, "c-1")
    stranger, _ = await member(api, "c-2")
    cursor = (await watch(api, token)).cursor
    api.live_log.message(message(1))
    await (await watch(api, stranger, cursor)).quiet()


@pytest.mark.parametrize("since", ["nonsense", "é", Positions([0, 0]).text().decode(), "x" * 7_000])
async def test_a_cursor_that_means_nothing_is_told_and_live_frames_flow(api: Api, since: str) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token, since)
    resync = await watcher.frame()
    assert (resync["type"], resync["cursor"]) == ("resync_required", watcher.frames[0]["cursor"])
    api.live_log.message(message(1))
    assert (await watcher.frame())["message_id"] == "m-1"


async def test_a_cursor_older_than_the_log_is_told(api: Api) -> None:
    token, _ = await member(api)
    cursor = (await watch(api, token)).cursor
    for number in range(9):
        api.live_log.message(message(number))
    api.live_log.first = {api.live_log.slot_of("c-1"): 3}
    watcher = await watch(api, token, cursor)
    assert (await watcher.frame())["type"] == "resync_required"
    await watcher.quiet()


async def test_while_what_was_missed_cannot_be_read_the_connection_is_told_to_come_again(api: Api) -> None:
    token, _ = await member(api)
    first = await watch(api, token)
    cursor = first.cursor
    await first.socket.close()
    api.live_log.message(message(1, "c-7"))
    api.live_log.available = False
    assert await (await watch(api, token, cursor)).closed() == 1013
    api.live_log.available, api.conversations.available = True, False
    assert await (await watch(api, token, cursor)).closed() == 1013
    api.conversations.available = True
    await (await watch(api, token, cursor)).quiet()


async def test_a_cursor_of_a_process_that_has_read_further_is_waited_for(api: Api) -> None:
    token, _ = await member(api)
    watcher = await watch(api, token)
    api.live_log.message(message(1))
    await watcher.frame()
    ahead = Positions([0] * 2 * api.live_log.partitions)
    ahead[api.live_log.slot_of("c-1")] = 2
    waiting = asyncio.create_task(watch(api, token, ahead.text().decode()))
    await stays(lambda: not waiting.done(), 0.05)
    api.live_log.message(message(2))
    api.live_log.message(message(3))
    assert (await (await waiting).frame())["message_id"] == "m-3"


@pytest.mark.parametrize(("in_the_log", "told"), [(True, 1013), (False, "resync_required")])
async def test_a_cursor_ahead_for_long_is_of_another_log_or_this_process_is_behind(
    api: Api, monkeypatch: pytest.MonkeyPatch, in_the_log: bool, told: object
) -> None:
    monkeypatch.setattr("web.live.resumption.AHEAD_SECONDS", 0.1)
    token, _ = await member(api)
    ahead = Positions([0] * 2 * api.live_log.partitions)
    ahead[api.live_log.slot_of("c-1")] = 1
    api.live_log.processes[0].is_paused = True
    if in_the_log:
        api.live_log.message(message(1))
    watcher = Watcher(await connect(api, token, ahead.text().decode()))
    if in_the_log:
        assert await watcher.closed() == told
    else:
        assert [(await watcher.frame())["type"] for _ in range(2)] == ["connected", told]
