"""The load test's WebSocket client, on the API itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from domain.records import MessageAccepted
from loadtests.ws_client import Listener
from support.api import Api
from support.watching import member


@pytest.mark.parametrize("size", [1, 60, 125, 200, 9_000, 10_240])
async def test_frames_of_every_length_arrive_whole(api: Api, size: int) -> None:
    token, _ = await member(api)
    frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    listener = await Listener.open(
        "127.0.0.1", api.port, f"/notifications?token={token}", lambda frame: frames.put_nowait(json.loads(frame))
    )
    content = "\x01" * size  # six bytes each in JSON: past 65,535 there is another length field
    async with asyncio.timeout(5):
        assert (await frames.get())["type"] == "connected"
        for number in range(3):
            api.live_log.message(MessageAccepted(f"m-{number}", "c-1", "u-9", "telegram:12345", content))
        for number in range(3):
            frame = await frames.get()
            assert (frame["message_id"], frame["content"]) == (f"m-{number}", content)
        assert listener.is_open
        await api.services.live.stop()
        await listener.ended.wait()
    assert listener.close_code == 1001


async def test_a_server_that_does_not_switch_protocols_is_an_error(api: Api) -> None:
    with pytest.raises(OSError, match="404"):
        await Listener.open("127.0.0.1", api.port, "/nowhere", print)
