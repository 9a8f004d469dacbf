"""A request's body, bounded in size and time, as a validated schema."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeVar

import orjson
from aiohttp import HttpVersion11, web
from pydantic import BaseModel, ValidationError

from web.errors import (
    BodyTimeout,
    BodyTooLarge,
    FieldErrors,
    MalformedBody,
    UnsupportedEncoding,
    UnsupportedTransferCoding,
)
from web.http.app_keys import SETTINGS
from web.http.field_errors import told
from web.http.field_names import MAX_SHOWN_ERRORS, Wrong, names_of
from web.http.json_bounds import MAX_VALUES, has_too_many_values
from web.http.repeated_names import may_repeat, refuse_repeated
from web.http.route import BodyLimit, route_of

Schema = TypeVar("Schema", bound=BaseModel)

BODY_TIMEOUT_SECONDS = 10.0
FORM_OVERHEAD_BYTES = 64 * 1024  # of a form with a file: boundaries, headers of fields, other fields


async def body_as(schema: type[Schema], request: web.Request) -> Schema:
    """Return the JSON body as a ``schema``.

    Raises ``MalformedBody`` if it is not a JSON object, ``FieldErrors`` with every invalid field, ``BodyTooLarge``,
    ``BodyTimeout`` or ``UnsupportedEncoding``. ``Content-Type`` is not looked at: curl's default is a form.
    """
    document = await json_body(request, creates=schema.model_config.get("extra") == "forbid")
    if not isinstance(document, dict):
        raise MalformedBody("the body must be a JSON object")
    return validated(schema, document, strict=True)


async def json_body(request: web.Request, *, creates: bool) -> object:
    """Return the parsed JSON body. With ``creates``, a repeated name is refused. Raises as ``body_as``."""
    body = await read_body(request, max_bytes_of(request))
    if has_too_many_values(body):
        raise MalformedBody(f"the body has more than {MAX_VALUES} values")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"the body is not JSON in UTF-8: {error}") from None
    if creates and may_repeat(body, document):
        await refuse_repeated(body)
    return document


def max_bytes_of(request: web.Request) -> int:
    """Return how long the body of ``request`` may be."""
    settings = request.app[SETTINGS]
    route = route_of(request)
    match route.body_limit if route is not None else BodyLimit.JSON:
        case BodyLimit.FILE:
            return settings.files_max_bytes
        case BodyLimit.FORM:
            return settings.files_max_bytes + FORM_OVERHEAD_BYTES
        case BodyLimit.BATCH:
            return settings.max_batch_body_bytes
        case BodyLimit.WEBHOOK:
            return settings.webhooks_max_bytes
        case BodyLimit.JSON:
            return settings.max_body_bytes


def query_as(schema: type[Schema], request: web.Request, path: Mapping[str, str] | None = None) -> Schema:
    """Return the parameters of the query and of ``path`` as a ``schema``.

    Raises ``FieldErrors``, also for a repeated parameter with different values.
    """
    given: dict[str, str] = dict(path or {})
    wrong: Wrong = []
    for name, value in request.query.items():
        if given.setdefault(name, value) != value and name in schema.model_fields:
            wrong.append((name, "is given more than once, with different values"))
    return validated(schema, given, strict=False, wrong=wrong)


def validated(
    schema: type[Schema], document: Mapping[str, object], *, strict: bool, wrong: Sequence[tuple[str, str]] = ()
) -> Schema:
    """Return ``document`` as a ``schema``. Raises ``FieldErrors`` with ``wrong`` and every invalid field."""
    names = names_of(schema)
    given, found = names.settled(document)
    found = [*dict.fromkeys(wrong), *found]
    try:
        valid = schema.model_validate(given, strict=strict)
    except ValidationError as error:
        found += told(error, names, {names.field_of(name) for name, _ in found})
        raise FieldErrors(found[:MAX_SHOWN_ERRORS]) from None
    if found:
        raise FieldErrors(found[:MAX_SHOWN_ERRORS])
    return valid


def refuse_early(request: web.Request, max_bytes: int) -> None:
    """Check the headers: raises ``BodyTooLarge``, ``UnsupportedEncoding``, ``UnsupportedTransferCoding``."""
    length = request.content_length
    if length is not None and length > max_bytes:
        raise BodyTooLarge(f"the body has {length} bytes; at most {max_bytes}")
    # a few compressed bytes may unfold to gigabytes, and JSON of this size gains nothing
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding("send the body without Content-Encoding")
    # aiohttp undoes no other coding than chunked: the bytes of another would pass for the body
    if (coding := request.headers.get("Transfer-Encoding")) is not None and (
        coding.strip().lower() != "chunked" or len(request.headers.getall("Transfer-Encoding")) > 1
    ):
        raise UnsupportedTransferCoding("of the transfer codings only chunked is taken")


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """Return the body of at most ``max_bytes``; never hold more of a longer one."""
    refuse_early(request, max_bytes)
    content = request.content
    if content.is_eof():  # the usual case: it came with the headers
        body = content.read_nowait(-1)
        if len(body) > max_bytes:
            raise BodyTooLarge(f"the body has more than {max_bytes} bytes")
        return body
    chunks = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            while chunk := await content.readany():
                chunks += chunk
                if len(chunks) > max_bytes:
                    raise BodyTooLarge(f"the body has more than {max_bytes} bytes")
    except TimeoutError:
        raise BodyTimeout(f"the body was not received within {BODY_TIMEOUT_SECONDS:g} seconds") from None
    except (web.RequestPayloadError, ValueError) as error:
        raise MalformedBody(f"the body ended early: {error}") from None
    return bytes(chunks)


async def expect_continue(request: web.Request) -> None:
    """Answer ``Expect: 100-continue``, unless the body's announced length is too large."""
    if request.version < HttpVersion11:
        return  # RFC 9110, section 10.1.1: such a client does not know the answer, whatever it expects
    expected = request.headers.get("Expect", "").lower()
    if expected != "100-continue":
        raise web.HTTPExpectationFailed
    if (request.content_length or 0) <= max_bytes_of(request):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
