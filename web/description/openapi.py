"""The API's description in OpenAPI 3.1, made of the routes, their operations and the schemas that validate.

python -m web.print_description > docs/openapi.json        or        make openapi
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from web.contract.problem_responses import Problem
from web.description.operations import OPERATIONS
from web.description.operations.operation import ANY_BYTES, ANY_JSON, HTML, PAGE_PART, TAGS, TEXT, Operation
from web.description.parameters import HEADER_PARAMETERS, HEADERS, PATH_PARAMETERS, PROBLEM_HEADERS
from web.description.texts import ANSWERS, INTRODUCTION, PROBLEMS
from web.http.problems import PROBLEM_JSON
from web.http.route import Route

_BYTES: dict[str, Any] = {"type": "string", "format": "binary"}
# answers that are no schema's; generators of clients know the first of two media types
_UNMODELLED: dict[str, dict[str, dict[str, Any]]] = {
    ANY_JSON: {ANY_JSON: {"type": "object"}},
    ANY_BYTES: {"application/octet-stream": _BYTES, ANY_BYTES: _BYTES},
    HTML: {HTML: {"type": "string"}},
    PAGE_PART: {kind: {"type": "string"} for kind in ("text/javascript", "text/css", "image/svg+xml", HTML)},
    TEXT: {TEXT: {"type": "string"}},
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
        described = _operation(route.path, operation, route.needs_token)
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
        yield {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}
    if operation.query is not None:
        query = operation.query.model_json_schema(schema_generator=_Untitled)
        for name, schema in query["properties"].items():
            if name not in in_path:
                is_required = name in query.get("required", ())
                yield {"name": name, "in": "query", "required": is_required, "schema": _without_null(schema)}
    for name in operation.headers:
        yield {"name": name, "in": "header", "required": False, **HEADER_PARAMETERS[name]}


def _responses(operation: Operation, has_token: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in operation.answers.items():
        response: dict[str, Any] = {"description": ANSWERS[status], "headers": _headers(status, operation)}
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
    names = ("X-Request-Id", *PROBLEM_HEADERS.get(status, ()))
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
