"""A Bot API on loopback whose answers the test gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "123456:AAH-secret_token_of_tests"
Answers = web.Response | Callable[[web.Request], Awaitable[web.Response]]


@dataclass
class Taken:
    """A call that arrived. ``files``: name and bytes of each file in the form, by its field."""

    method: str
    parameters: dict[str, Any]
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)


class BotApi:
    """``calls``: those that arrived, in order. ``answers``: the next ones of each method, else all goes well."""

    def __init__(self) -> None:
        self.calls: list[Taken] = []
        self.answers: dict[str, list[Answers]] = {}
        self.files: dict[str, bytes] = {}
        self.message_id = 40
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post(f"/bot{TOKEN}/{{method}}", self._take)
        app.router.add_get(f"/file/bot{TOKEN}/{{path:.*}}", self._file)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    def answer(self, method: str, *answers: Answers) -> None:
        self.answers.setdefault(method, []).extend(answers)

    def taken(self, method: str) -> list[Taken]:
        return [call for call in self.calls if call.method == method]

    async def _take(self, request: web.Request) -> web.Response:
        call = await _read(request)
        self.calls.append(call)
        if self.answers.get(call.method):
            answer = self.answers[call.method].pop(0)
            return answer if isinstance(answer, web.Response) else await answer(request)
        return web.json_response({"ok": True, "result": self._result(call)})

    def _result(self, call: Taken) -> object:
        if not call.method.startswith("send") or call.method == "sendChatAction":
            return [] if call.method == "getUpdates" else True
        self.message_id += 1
        sent: dict[str, object] = {
            "message_id": self.message_id,
            "chat": {"id": int(call.parameters["chat_id"]), "type": "private"},
            "date": 1_454_119_029,
        }
        kind = call.method.removeprefix("send").lower()
        if kind in call.files or kind in call.parameters:
            file_id = call.parameters.get(kind) or f"id-of-{kind}-{self.message_id}"
            sent[kind] = [{"file_id": "small"}, {"file_id": file_id}] if kind == "photo" else {"file_id": file_id}
        return sent

    async def _file(self, request: web.Request) -> web.Response:
        data = self.files.get(request.match_info["path"])
        return web.Response(status=404) if data is None else web.Response(body=data)


async def _read(request: web.Request) -> Taken:
    call = Taken(request.match_info["method"], {})
    if not request.content_type.startswith("multipart/"):
        call.parameters = await request.json() if request.can_read_body else {}
        return call
    async for part in await request.multipart():
        assert not isinstance(part, type(None))
        name = getattr(part, "name", "") or ""
        filename = getattr(part, "filename", None)
        data = await part.read()  # type: ignore[union-attr]
        if filename is not None:
            call.files[name] = (filename, bytes(data))
        else:
            call.parameters[name] = _value(bytes(data).decode())
    return call


def _value(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def failed(code: int, description: str = "so it is", **parameters: object) -> web.Response:
    """An error in the Bot API's form."""
    document = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return web.json_response(document, status=code)


def result(value: object) -> web.Response:
    return web.json_response({"ok": True, "result": value})
