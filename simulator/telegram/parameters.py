"""Reads the parameters of a call: a query, a form, a form with files, or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import BodyPartReader, web

from simulator.telegram.errors import TelegramError, bad_request

MOST_UPLOAD_BYTES = 50 * 1_000_000  # of a bot, checked 2026-11-27
_MOST_FIELD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    name: str
    mime_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one call; all forms but JSON have texts only, so numbers and objects may come as texts."""

    values: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return a text. Raises ``TelegramError``."""
        value = self.values.get(name, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise bad_request(f"{name} must be a String")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a whole number. Raises ``TelegramError``."""
        value = self.values.get(name, default)
        if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise bad_request(f"{name} must be an Integer")
        return value

    def number(self, name: str) -> float:
        """Return a number. Raises ``TelegramError``."""
        try:
            return float(self.text(name, "none"))
        except ValueError:
            raise bad_request(f"{name} must be a number") from None

    def flag(self, name: str, default: bool = False) -> bool:
        """Return true or false. Raises ``TelegramError``."""
        value = self.values.get(name, default)
        if isinstance(value, str):
            value = value.lower() in ("true", "1", "yes")
        return bool(value)

    def json(self, name: str, default: Any = None) -> Any:
        """Return an object or a list, which may be a text with JSON. Raises ``TelegramError``."""
        value = self.values.get(name, default)
        if isinstance(value, str):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                raise bad_request(f"can't parse {name}: it is not JSON") from None
        return value

    def object(self, name: str) -> Mapping[str, Any]:
        """Return an object, an empty one without any. Raises ``TelegramError``."""
        value = self.json(name, {})
        if not isinstance(value, dict):
            raise bad_request(f"can't parse {name}: expected an Object")
        return value


async def parameters_of(request: web.Request) -> Parameters:
    """Return the parameters of the query and of the body. Raises ``TelegramError``."""
    values: dict[str, Any] = dict(request.query)
    files: dict[str, Upload] = {}
    if request.method == "POST" and request.can_read_body:
        if request.content_type == "application/json":
            values |= _json(await request.read())
        elif request.content_type == "multipart/form-data":
            await _form(request, values, files)
        else:
            values |= {name: str(value) for name, value in (await request.post()).items()}
    return Parameters(values, files)


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(raw) if raw.strip() else {}
    except orjson.JSONDecodeError:
        raise bad_request("can't parse the body as JSON") from None
    if not isinstance(document, dict):
        raise bad_request("the body must be a JSON object")
    return document


async def _form(request: web.Request, values: dict[str, Any], files: dict[str, Upload]) -> None:
    left = MOST_UPLOAD_BYTES
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or not part.name:
            continue
        content = bytearray()
        most = left if part.filename else _MOST_FIELD_BYTES
        while chunk := await part.read_chunk(1 << 16):
            content += chunk
            if len(content) > most:
                raise TelegramError(413, "Request Entity Too Large")
        if part.filename:
            left -= len(content)
            mime_type = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0]
            files[part.name] = Upload(part.filename, mime_type, bytes(content))
        else:
            values[part.name] = content.decode("utf-8", "replace")
