"""A client of live notifications, and what its frames are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType

from domain.conversations import Member
from domain.records import MessageAccepted, StatusChanged
from support.api import Api
from support.values import changed

SECONDS = 5.0


class Watcher:
    """A client: its WebSocket and what came on it."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []

    async def frame(self) -> dict[str, Any]:
        """Return the next frame, within ``SECONDS``."""
        message = await self.socket.receive(SECONDS)
        assert message.type is WSMsgType.TEXT, (message, self.socket.close_code)
        frame = dict(json.loads(message.data))
        self.frames.append(frame)
        return frame

    async def closed(self) -> int | None:
        """Return the close code, within ``SECONDS``."""
        while True:
            message = await self.socket.receive(SECONDS)
            if message.type is WSMsgType.TEXT:
                self.frames.append(json.loads(message.data))
            else:
                assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING), message
                return self.socket.close_code

    async def quiet(self) -> None:
        """A ping comes back with nothing before it."""
        await self.socket.send_str('{"type":"ping"}')
        assert (await self.frame())["type"] == "pong"

    @property
    def cursor(self) -> str:
        """The newest cursor that came, empty before the greeting."""
        return next((str(frame["cursor"]) for frame in reversed(self.frames) if "cursor" in frame), "")


async def watch(
    api: Api, token: str, since: str | None = None, *, autoping: bool = True, headers: Mapping[str, str] | None = None
) -> Watcher:
    """Return a watcher that has been greeted."""
    watcher = Watcher(await connect(api, token, since, autoping=autoping, headers=headers))
    greeting = await watcher.frame()
    assert greeting["type"] == "connected", greeting
    return watcher


async def connect(
    api: Api, token: str, since: str | None = None, *, autoping: bool = True, headers: Mapping[str, str] | None = None
) -> ClientWebSocketResponse:
    params = {"token": token, **({"since": since} if since else {})}
    return await api.session.ws_connect("/notifications", params=params, autoping=autoping, headers=headers)


async def member(api: Api, *conversations: str) -> tuple[str, str]:
    """Return the token and the id of a new user who takes part in the conversations."""
    login = await api.login(await api.register())
    for conversation in conversations or ("c-1",):
        await take_part(api, conversation, login["user_id"])
    return login["token"], login["user_id"]


async def take_part(api: Api, conversation_id: str, user_id: str) -> None:
    """Let a user take part in a conversation, which is created if need be."""
    store = api.conversations
    known = await store.get(conversation_id)
    if known is None:
        await store.create(conversation_id, [user_id], 0)
    else:
        members = (*known.members, Member(user_id, 0))
        assert await store.change(known, replace(known, members=members, version=known.version + 1))


def message(number: int, conversation: str = "c-1", sender: str = "u-9", **more: object) -> MessageAccepted:
    plain = MessageAccepted(f"m-{number}", conversation, sender, "telegram:12345", f"hi {number}")
    return changed(plain, more)


def fact(number: int, status: str, at_ms: int = 2_000, conversation: str = "c-1", **more: object) -> StatusChanged:
    plain = StatusChanged(f"m-{number}", conversation, status, at_ms, 1_000, number, "telegram", 1)
    return changed(plain, more)
