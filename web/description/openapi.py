"""The API's description in OpenAPI 3.1, made of the routes, their operations and the schemas that validate.

python -m web.openapi > docs/openapi.json        or        make openapi
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from domain.recipients import CHANNELS
from web.contract.response_schemas import Problem
from web.description.operations import ANY_BYTES, ANY_JSON, HTML, OPERATIONS, TAGS, TEXT, Operation
from web.http.problems import PROBLEM_JSON
from web.http.route import Route
from web.uploads.tus import VERSION as VERSION_OF_TUS

INTRODUCTION = """Accept a message once over HTTP, deliver it on WhatsApp, Instagram or Telegram, and report \
its true status.

JSON in UTF-8; `null` means absent. A request body that creates a resource must not contain unknown fields. `*_at` are \
ISO-8601 UTC with milliseconds, `timestamp` is epoch milliseconds. Errors are RFC 9457 problems. Every response \
carries `X-Request-Id`, the client's own if valid. Each `GET` route also serves `HEAD`; an unknown path is 404, \
a wrong method 405 with `Allow`."""

PROBLEMS = {
    400: "Invalid request: malformed HTTP or JSON, or invalid fields, all listed in `errors`.",
    401: "The token is missing or invalid.",
    403: "Not permitted, or the caller is not a participant.",
    404: "Not found.",
    408: "Timeout while reading the body.",
    409: "Conflict with the present state.",
    410: "Deleted or expired.",
    412: "The file does not match `If-Match`, or `Tus-Resumable` is not 1.0.0.",
    413: "The body is too large.",
    415: "The body has a `Content-Encoding` or an unsupported media type.",
    416: "The range lies outside the file.",
    417: "`Expect` is not `100-continue`.",
    422: "The `Idempotency-Key` was used with another body.",
    423: "Another request is using the upload.",
    426: "A WebSocket upgrade is required.",
    429: "Rate limit exceeded.",
    460: "Checksum mismatch.",
    501: "`Transfer-Encoding` is not `chunked`.",
    503: "A dependency is unavailable; retry.",
}
_ANSWERS = {
    101: "Switching to WebSocket",
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No content",
    206: "Partial content",
    207: "One result for each message",
    302: "Found",
    304: "Not modified",
    503: "Not ready",
}
HEADERS = {
    "X-Request-Id": "The request's id: the client's own if valid.",
    "Location": "URL of the resource.",
    "WWW-Authenticate": "`Bearer`.",
    "Retry-After": "Seconds to wait.",
    "RateLimit-Limit": "Capacity of the rate limit's bucket, in requests.",
    "RateLimit-Remaining": "Requests left.",
    "RateLimit-Reset": "Seconds until the limit is fully available again.",
    "Upgrade": "`websocket`.",
    "Content-Range": "The byte range and the file's size.",
    "Content-Disposition": "`attachment`, with the file's name.",
    "Accept-Ranges": "`bytes`.",
    "ETag": "The file's checksum.",
    "Upload-Offset": "Bytes stored durably.",
    "Upload-Length": "Size of the complete upload, in bytes.",
    "Upload-Metadata": "Metadata given at creation.",
    "Upload-Expires": "When the upload expires; absent once it is complete.",
    "Cache-Control": "`no-store`.",
    "Tus-Version": "`1.0.0`.",
    "Tus-Extension": "Supported tus extensions.",
    "Tus-Max-Size": "Largest upload, in bytes.",
    "Tus-Checksum-Algorithm": "Algorithms for `Upload-Checksum`.",
    "Idempotent-Replayed": "`true` if the response repeats that of an earlier request with the same key.",
}
_PROBLEM_HEADERS = {
    416: ("Content-Range",),
    401: ("WWW-Authenticate",),
    423: ("Retry-After",),
    426: ("Upgrade",),
    429: ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    503: ("Retry-After",),
}
_BYTES: dict[str, Any] = {"type": "string", "format": "binary"}
# answers that are no schema's; generators of clients know the first of two media types
_UNMODELLED: dict[str, dict[str, dict[str, Any]]] = {
    ANY_JSON: {ANY_JSON: {"type": "object"}},
    ANY_BYTES: {"application/octet-stream": _BYTES, ANY_BYTES: _BYTES},
    HTML: {HTML: {"type": "string"}},
    TEXT: {TEXT: {"type": "string"}},
}
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "conversation_id": {"type": "string", "minLength": 1, "examples": ["family"]},
    "message_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-8f1a-7b22-9c0d-1e2f3a4b5c6d"]},
    "group_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-7a01-7d22-8b3c-4d5e6f708192"]},
    "user_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-5d7b-7c10-8a3e-0b1f2a3c4d5e"]},
    "file_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"]},
    "upload_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"]},
    "platform": {"type": "string", "enum": list(CHANNELS)},
    "value": {"type": "string", "minLength": 1, "examples": ["+5511999990000"]},
}
_HEADER_PARAMETERS: dict[str, dict[str, Any]] = {
    "Range": {
        "description": "One range of bytes. Several ranges or an invalid one return the whole file.",
        "schema": {"type": "string", "examples": ["bytes=0-1023"]},
    },
    "Tus-Resumable": {
        "description": "Version of the tus protocol.",
        "required": True,
        "schema": {"type": "string", "enum": [VERSION_OF_TUS]},
    },
    "Upload-Length": {
        "description": "Size of the complete upload, in bytes.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$", "examples": ["1073741824"]},
    },
    "Upload-Offset": {
        "description": "Offset of the body's first byte.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$", "examples": ["0"]},
    },
    "Upload-Metadata": {
        "description": "Comma-separated pairs of a key and its value in base64.",
        "required": True,
        "schema": {"type": "string", "examples": ["filename aG9saWRheS5tcDQ=,conversation_id ZmFtaWx5"]},
    },
    "Upload-Checksum": {
        "description": "Algorithm and base64 digest of the body. On a mismatch none of its bytes are kept.",
        "schema": {"type": "string", "examples": ["sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]},
    },
    "Idempotency-Key": {
        "description": "Requests with the same key create one message.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "examples": ["order-4711"]},
    },
}


def openapi_document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the description of ``routes``. Raises ``KeyError`` for one that is not among ``OPERATIONS``."""
    listed = list(routes)
    schemas = _schemas(OPERATIONS[route.title] for route in listed)
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    first: dict[int, tuple[str, str]] = {}
    for route in listed:
        operation = OPERATIONS[route.title]
        described = _operation(route.path, operation, route.member is not None)
        name = route.name if route.name not in names else f"{route.name}_at_{_slug(route.path)}"
        names.add(name)
        first_name, first_title = first.setdefault(id(operation), (name, route.title))
        if first_name != name:  # another name for older clients, or the same for another path
            described |= {"description": f"Same as `{first_title}`.", "x-same-as": first_name}
        paths.setdefault(route.path, {})[route.method.lower()] = {"operationId": name, **described}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chat4All", "version": version("chat4all"), "description": INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {f"Problem{status}": _problem(status) for status in PROBLEMS},
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "tokenInQuery": {"type": "apiKey", "in": "query", "name": "token"},
            },
        },
    }


def openapi_json(routes: Iterable[Route], *, indent: bool = False) -> bytes:
    """Return the description as JSON, with its end of line when indented."""
    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE if indent else 0
    return orjson.dumps(openapi_document(routes), option=option)


def _operation(path: str, operation: Operation, has_token: bool) -> dict[str, Any]:
    described: dict[str, Any] = {"tags": [operation.tag], "summary": operation.summary}
    if operation.description:
        described["description"] = operation.description
    if parameters := list(_parameters(path, operation)):
        described["parameters"] = parameters
    if operation.body is not None:
        content: dict[str, Any] = {"schema": _ref(operation.body)}
        if operation.example is not None:
            content["example"] = operation.example
        described["requestBody"] = {"required": operation.is_body_required, "content": {operation.body_kind: content}}
    described["responses"] = dict(sorted(_responses(operation, has_token)))
    if has_token:
        described["security"] = [{"token": []}]
    elif 101 in operation.answers:
        described["security"] = [{"token": []}, {"tokenInQuery": []}]
    return described


def _parameters(path: str, operation: Operation) -> Iterator[dict[str, Any]]:
    in_path = re.findall(r"{(\w+)}", path)
    for name in in_path:
        yield {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]}
    if operation.query is not None:
        query = operation.query.model_json_schema(schema_generator=_Untitled)
        for name, schema in query["properties"].items():
            if name not in in_path:
                is_required = name in query.get("required", ())
                yield {"name": name, "in": "query", "required": is_required, "schema": _without_null(schema)}
    for name in operation.headers:
        yield {"name": name, "in": "header", "required": False, **_HEADER_PARAMETERS[name]}


def _responses(operation: Operation, has_token: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in operation.answers.items():
        response: dict[str, Any] = {"description": _ANSWERS[status], "headers": _headers(status, operation)}
        if isinstance(answer, str):
            response["content"] = {kind: {"schema": schema} for kind, schema in _UNMODELLED[answer].items()}
        elif answer is not None:
            response["content"] = {"application/json": {"schema": _ref(answer)}}
        yield str(status), response
    problems = {400, 417, *operation.problems}
    problems |= {408, 413, 415, 501} if operation.body is not None else set()
    problems |= {401} if has_token else set()
    problems |= set() if operation.is_local else {429, 503}
    for status in problems - set(operation.answers):
        yield str(status), {"$ref": f"#/components/responses/Problem{status}"}


def _headers(status: int, operation: Operation) -> dict[str, Any]:
    names = ["X-Request-Id", *operation.answer_headers]
    if operation.body is not None and status in (201, 202) and operation.tag not in ("Accounts", "Identities"):
        names.append("Location")
    if "Idempotency-Key" in operation.headers and status == 202:
        names.append("Idempotent-Replayed")
    if status == 503:
        names.append("Retry-After")
    if operation.answers[status] == ANY_BYTES:
        names += ["Content-Disposition", "Accept-Ranges", "ETag"]
    if status == 206:
        names.append("Content-Range")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(status: int) -> dict[str, Any]:
    names = ("X-Request-Id", *_PROBLEM_HEADERS.get(status, ()))
    return {
        "description": PROBLEMS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {PROBLEM_JSON: {"schema": _ref(Problem)}},
    }


class _Untitled(GenerateJsonSchema):
    """A field's title says what its name says."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the JSON schemas of all that the operations take and answer, by name."""
    models: dict[str, type[BaseModel]] = {Problem.__name__: Problem}
    for operation in operations:
        for model in (operation.body, *operation.answers.values()):
            if isinstance(model, type):
                models[model.__name__] = model
    _, top = models_json_schema(
        [(model, "validation") for model in models.values()],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    schemas: dict[str, Any] = top["$defs"]
    return dict(sorted(schemas.items()))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: a parameter is there or it is not."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf" and not (key == "default" and value is None)}
    return {**options[0], **rest}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _slug(path: str) -> str:
    return re.sub(r"\W+", "_", path).strip("_")
