"""Whatever breaks off and whichever process is next: each message comes to each connection's user exactly once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aiohttp import WSMsgType

from domain.records import MessageAccepted
from support.api import Api
from support.waiting import pass_time
from support.watching import Watcher, connect, fact, member, message, watch

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
