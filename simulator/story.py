"""Plays the acts on a telephone again, and checks their results at Chat4All. Saved tests use it."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp

SECONDS = 30.0  # for each step to have its effect
_LOOK_SECONDS = 0.1
_RANK = {"ACCEPTED": 0, "SENT": 1, "DELIVERED": 2, "READ": 3}
Found = TypeVar("Found")


class Story:
    """A new user, and a new telephone on ``channel`` whose person is made with ``manners``.

    ``api``, ``simulator``: their addresses; ``CHAT4ALL_URL`` and ``CHAT4ALL_SIMULATOR_URL`` count more.
    """

    def __init__(self, channel: str, manners: Mapping[str, Any], api: str, simulator: str) -> None:
        self._channel = channel
        self._manners = dict(manners)
        self._api = os.environ.get("CHAT4ALL_URL", api).rstrip("/")
        self._simulator = os.environ.get("CHAT4ALL_SIMULATOR_URL", simulator).rstrip("/")
        self._shown: dict[str, str] = {}  # message id → the provider's
        self._conversation = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS))
        word = secrets.token_hex(4)
        login = {"username": f"story_{word}", "password": secrets.token_urlsafe(12)}
        await self._ask("POST", f"{self._api}/users", login)
        token = (await self._ask("POST", f"{self._api}/auth/login", login))["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        who = {"number": f"+5521{secrets.randbelow(10**9):09}", "handle": f"story_{word}", **self._manners}
        self._person = await self._ask("POST", f"{self._simulator}/phones", who)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    @property
    def _address(self) -> str:
        person = self._person
        name = {"whatsapp": person["number"], "instagram": person["igsid"], "telegram": person["chat_id"]}
        return f"{self._channel}:{name[self._channel]}"

    async def sends(self, text: str, buttons: Sequence[str] = (), reply_to: str = "") -> str:
        """Send a text to the person; return the message's id once the channel has it or it has failed."""
        body: dict[str, Any] = {"recipient_id": self._address, "content": text}
        if buttons:
            choices = [{"id": f"b{n}", "title": title} for n, title in enumerate(buttons, 1)]
            body["interactive"] = {"kind": "buttons", "buttons": choices}
        if reply_to:
            body["reply_to"] = reply_to
        key = {"Idempotency-Key": secrets.token_hex(16)}
        # on Instagram and Telegram the person's first message has to arrive before it can be answered
        accepted = await self._until(f"{text!r} is accepted", lambda: self._accepted(body, key))
        self._conversation = accepted["conversation_id"]
        message_id: str = accepted["message_id"]
        await self._until(f"{text!r} is sent", lambda: self._is_sent(message_id))
        return message_id

    async def _accepted(self, body: Mapping[str, Any], key: Mapping[str, str]) -> Any:
        try:
            return await self._ask("POST", f"{self._api}/v1/messages", body, {**self._headers, **key})
        except Refused as refused:
            if refused.status not in (409, 422, 503):
                raise
            return None

    async def _is_sent(self, message_id: str) -> bool:
        return bool((await self._message(message_id))["status"] != "ACCEPTED")

    async def does(self, act: str, *, to: str = "", **body: Any) -> None:
        """Let the person act; their messages to the account are awaited at Chat4All."""
        if to:
            body["message_id"] = await self._until("the telephone shows it", lambda: self._on_screen(to))
        if act == "send" or (act in ("block", "unblock") and "channel" not in body):
            body["channel"] = self._channel
        await self._ask("POST", f"{self._simulator}/phones/{self._person['id']}/{act}", body)
        if not self._conversation:
            return  # nobody here takes part in it yet
        if act in ("send", "reply") and body.get("text"):
            await self._until(f"{body['text']!r} arrives", lambda: self._has(content=body["text"]))
        if act == "press" and to:
            await self._until(f"the button pressed on {to} arrives", lambda: self._has(kind="button_reply"))
        if act == "react" and to and body.get("emoji"):
            await self._until(f"{body['emoji']} arrives", lambda: self._has_reaction(to, body["emoji"]))

    async def ends(self, message_id: str, status: str) -> None:
        """Wait until the message has this status, or a later one."""

        async def has_it() -> bool:
            now = (await self._message(message_id))["status"]
            return bool(now == status or _RANK.get(now, -1) > _RANK.get(status, 9))

        await self._until(f"{message_id} is {status}", has_it)

    async def _has(self, **fields: Any) -> bool:
        path = f"/v1/conversations/{quote(self._conversation, safe='')}/messages?order=desc&limit=100"
        page = await self._ask("GET", self._api + path, headers=self._headers)
        inbound = [message for message in page["messages"] if message["direction"] == "inbound"]
        return any(all(message.get(name) == value for name, value in fields.items()) for message in inbound)

    async def _has_reaction(self, message_id: str, emoji: str) -> bool:
        return any(one["emoji"] == emoji for one in (await self._message(message_id))["reactions"])

    async def _on_screen(self, message_id: str) -> str:
        """Return the provider's id of a message that the telephone shows: the last one with its text."""
        text = (await self._message(message_id))["content"]
        path = f"{self._simulator}/phones/{self._person['id']}/messages?limit=1000"
        screen = (await self._ask("GET", path))["messages"]
        return next((one["id"] for one in reversed(screen) if one["from"] == "account" and one["text"] == text), "")

    async def _message(self, message_id: str) -> Any:
        return await self._ask("GET", f"{self._api}/v1/messages/{message_id}", headers=self._headers)

    async def _until(self, what: str, look: Callable[[], Awaitable[Found]]) -> Found:
        deadline = time.monotonic() + SECONDS
        while True:
            if found := await look():
                return found
            assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}"
            await asyncio.sleep(_LOOK_SECONDS)

    async def _ask(
        self, method: str, url: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            if answer.status >= 400:
                raise Refused(answer.status, f"{method} {url}: {answer.status} {await answer.text():.300}")
            return await answer.json()


class Refused(AssertionError):
    """An answer that the story did not expect. ``status``: of HTTP."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
