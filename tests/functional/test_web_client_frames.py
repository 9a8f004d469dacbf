"""What a client may send over a WebSocket, and what ends the connection (RFC 6455)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.api import Api
from support.watching import SECONDS, member
from web.http.client_frames import MAX_PIECES, ClientFrames
from web.live.incoming import MAX_FRAMES_PER_WINDOW

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, masked: bool = True, is_last: bool = True) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size)
    if size > 65_535:
        length = b"\x7f" + struct.pack("!Q", size)
    if not masked:
        return bytes([opcode | 0x80 * is_last]) + length + payload
    hidden = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    return bytes([opcode | 0x80 * is_last, length[0] | 0x80]) + length[1:] + MASK + hidden


@dataclass
class Raw:
    """A WebSocket by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def next(self) -> tuple[int, bytes]:
        async with asyncio.timeout(SECONDS):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        while True:
            opcode, payload = await self.next()
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])


@asynccontextmanager
async def raw(api: Api, more: bytes = b"") -> AsyncIterator[Raw]:
    """A connection whose first frames may come along with the request."""
    token, _ = await member(api)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        f"GET /notifications?token={token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        + more
    )
    try:
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
@pytest.mark.parametrize("comes_along", [True, False])
async def test_a_frame_without_a_mask_closes_with_1002(api: Api, opcode: int, comes_along: bool) -> None:
    sent = frame(opcode, b'{"type":"ping"}' if opcode != CLOSE else b"", masked=False)
    async with raw(api, sent if comes_along else b"") as socket:
        if not comes_along:
            socket.writer.write(sent)
        seen = []
        while (got := await socket.next())[0] != CLOSE:
            seen.append(got[1])
        assert struct.unpack("!H", got[1][:2]) == (1002,)
        assert not any(b"pong" in payload for payload in seen)


async def test_a_frame_without_a_mask_after_good_ones_closes_too(api: Api) -> None:
    good = frame(TEXT, b'{"type":"ping"}')
    async with raw(api) as socket:
        assert b"connected" in (await socket.next())[1]
        socket.writer.write(good + good + frame(TEXT, b'{"type":"ping"}', masked=False) + good)
        assert [b"pong" in (await socket.next())[1] for _ in range(2)] == [True, True]
        assert await socket.close_code() == 1002


async def test_a_message_has_as_many_bytes_as_the_setting_says_and_not_one_more(api: Api) -> None:
    most = api.settings.live_max_frame_bytes
    async with raw(api) as socket:
        assert b"connected" in (await socket.next())[1]
        socket.writer.write(frame(TEXT, b'{"type":"ping"}'.ljust(most)))
        assert b"pong" in (await socket.next())[1]
        socket.writer.write(frame(TEXT, b'{"type":"ping"', is_last=False) + frame(CONTINUATION, b"}".ljust(most - 14)))
        assert b"pong" in (await socket.next())[1]
        socket.writer.write(frame(TEXT, b'{"type":"ping"}'.ljust(most + 1)))
        assert await socket.close_code() == 1009


async def test_a_message_in_pieces_beyond_the_limit_closes_with_1009(api: Api) -> None:
    most = api.settings.live_max_frame_bytes
    async with raw(api) as socket:
        socket.writer.write(frame(TEXT, b" " * most, is_last=False) + frame(CONTINUATION, b" "))
        assert await socket.close_code() == 1009


async def test_a_message_has_so_many_pieces_at_most(api: Api) -> None:
    piece = frame(CONTINUATION, b" ", is_last=False)
    async with raw(api) as socket:
        assert b"connected" in (await socket.next())[1]
        begin = frame(TEXT, b'{"type":"ping"}', is_last=False)
        socket.writer.write(begin + piece * (MAX_PIECES - 1) + frame(PING) + frame(CONTINUATION))
        assert {(await socket.next())[0] for _ in range(2)} == {TEXT, PONG}
        socket.writer.write(begin + frame(CONTINUATION, is_last=False) * 100_000)
        assert await socket.close_code() == 1002


@pytest.mark.parametrize("opcode", [PING, PONG, TEXT])
async def test_a_flood_of_frames_closes_with_1008_after_so_many(api: Api, opcode: int) -> None:
    async with raw(api) as socket:
        assert b"connected" in (await socket.next())[1]
        socket.writer.write(frame(opcode) * (MAX_FRAMES_PER_WINDOW + 50_000))
        answered = 0
        while (got := await socket.next())[0] != CLOSE:
            answered += 1
        assert struct.unpack("!H", got[1][:2]) == (1008,)
        assert answered == (0 if opcode == PONG else MAX_FRAMES_PER_WINDOW)


async def test_a_ping_of_the_protocol_is_answered_with_its_payload(api: Api) -> None:
    async with raw(api) as socket:
        assert b"connected" in (await socket.next())[1]
        socket.writer.write(frame(PING, b"are you there"))
        assert await socket.next() == (PONG, b"are you there")


class Recorder:
    """In place of aiohttp's reader."""

    def __init__(self) -> None:
        self.fed = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.fed += data
        return False, b""

    def feed_eof(self) -> None:
        self.fed += b"EOF"


FRAMES = st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), st.binary(max_size=300)), max_size=6)


Frames = list[tuple[int, bytes]]


@given(FRAMES, st.integers(1, 40), FRAMES)
def test_however_frames_are_cut_all_before_the_first_bad_one_pass(good: Frames, size: int, after: Frames) -> None:
    def fed(data: bytes) -> bytes:
        recorder = Recorder()
        frames = ClientFrames(recorder)
        for start in range(0, len(data), size):
            frames.feed_data(data[start : start + size])
            if recorder.fed.endswith(b"\x83\x80"):
                break
        return recorder.fed

    passing = b"".join(frame(opcode, payload) for opcode, payload in good)
    refused = frame(TEXT, b"x", masked=False) + b"".join(frame(opcode, payload) for opcode, payload in after)
    assert fed(passing) == passing
    assert fed(passing + refused) == passing + b"\x83\x80"
