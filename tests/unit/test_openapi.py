"""The description of the API is complete, in step with its committed copy, and keeps the promises that it makes."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from pydantic import BaseModel

from support.contract import mismatch
from web.description.openapi import openapi_document, openapi_json
from web.description.operations import OPERATIONS
from web.description.operations.operation import FORM, TAGS
from web.handlers.description import Description
from web.http.bodies import validated
from web.http.responses import json_response
from web.routes import ROUTES
from web.uploads.tus import OFFSET_STREAM

COPY = Path(__file__).parents[2] / "docs" / "openapi.json"
WITH_EXAMPLE = [name for name, operation in OPERATIONS.items() if operation.example is not None]


def references(thing: object) -> set[str]:
    if isinstance(thing, dict):
        here = {thing["$ref"]} if isinstance(thing.get("$ref"), str) else set()
        return here.union(*map(references, thing.values()))
    return set().union(*map(references, thing)) if isinstance(thing, list) else set()


def test_every_route_is_described_and_nothing_else() -> None:
    routes = {route.title for route in ROUTES}
    assert routes - set(OPERATIONS) == set(), "new routes: describe them in operations.py, then make openapi"
    assert set(OPERATIONS) - routes == set(), "routes that are no more"


def test_the_committed_copy_is_what_the_code_says() -> None:
    assert COPY.read_bytes() == openapi_json(ROUTES, indent=True), "the API has changed: make openapi, and look at it"


def test_every_reference_leads_somewhere_and_every_part_is_used() -> None:
    document = openapi_document(ROUTES)
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in document["components"][kind]
    }
    assert references(document) == there


def test_every_operation_has_a_name_of_its_own_and_a_known_tag() -> None:
    operations = [operation for item in openapi_document(ROUTES)["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert {operation.tag for operation in OPERATIONS.values()} == set(TAGS)


def test_an_alias_is_described_once_and_says_of_what() -> None:
    paths = openapi_document(ROUTES)["paths"]
    assert paths["/auth/register"]["post"]["x-same-as"] == paths["/users"]["post"]["operationId"]
    assert paths["/auth/register"]["post"]["description"] == "Same as `POST /users`."
    assert "x-same-as" not in paths["/users"]["post"]


def test_what_takes_a_token_says_so() -> None:
    paths = openapi_document(ROUTES)["paths"]
    guarded = {
        f"{method.upper()} {path}" for path, item in paths.items() for method in item if "security" in item[method]
    }
    open_to_all = {"GET /v1/files/{file_id}/link", "OPTIONS /v1/uploads", "OPTIONS /v1/uploads/{upload_id}"}
    assert {name for name in OPERATIONS if name.split(" ")[1].startswith("/v1/")} - guarded == open_to_all
    assert guarded & {"POST /users", "POST /auth/login", "GET /health", "GET /docs"} == set()
    for path, item in paths.items():
        for method, operation in item.items():
            assert f"{method.upper()} {path}" not in guarded or "401" in operation["responses"]


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_an_example_is_valid_for_the_schema_and_for_what_validates(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation.body is not None
    assert issubclass(operation.body, BaseModel)
    operation.body.model_validate(operation.example, strict=True)
    components = openapi_document(ROUTES)["components"]
    schema = {"$ref": f"#/components/schemas/{operation.body.__name__}", "components": components}
    assert Draft202012Validator(schema, validate_formats=True).is_valid(operation.example)


def test_every_body_has_an_example() -> None:
    # a file is something that JSON cannot show
    described = {
        name
        for name, operation in OPERATIONS.items()
        if operation.body and operation.body_kind not in (FORM, OFFSET_STREAM)
    }
    assert described == set(WITH_EXAMPLE)


def bodies() -> list[tuple[str, dict[str, Any]]]:
    """Return the schema of each body, whole, with the operation it is of."""
    document = openapi_document(ROUTES)
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schema = content["schema"]
                name = schema.get("$ref", "").rpartition("/")[2]
                found.append((f"{method.upper()} {path}", document["components"]["schemas"].get(name, schema)))
    return found


@pytest.mark.parametrize(("name", "schema"), bodies())
def test_a_body_is_one_object_with_typed_fields_so_that_clients_can_be_generated(
    name: str, schema: dict[str, Any]
) -> None:
    assert not {"anyOf", "oneOf", "allOf", "not", "if"} & set(schema)
    if OPERATIONS[name].body_kind != OFFSET_STREAM:
        assert schema["type"] == "object"
        for field, described in schema["properties"].items():
            assert described.keys() & {"type", "anyOf", "$ref"}, f"{field} may be anything"


def schemas_in(thing: object) -> list[dict[str, Any]]:
    if isinstance(thing, list):
        return [found for inner in thing for found in schemas_in(inner)]
    if not isinstance(thing, dict):
        return []
    here = [thing["schema"]] if isinstance(thing.get("schema"), dict) else []
    return here + [found for inner in thing.values() for found in schemas_in(inner)]


def test_no_answer_and_no_parameter_is_untyped() -> None:
    document = openapi_document(ROUTES)
    schemas = [*schemas_in(document["paths"]), *schemas_in(document["components"]["responses"])]
    assert len(schemas) > 50
    assert [schema for schema in schemas if not schema.keys() & {"type", "$ref", "anyOf"}] == []


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_a_client_that_sends_every_default_beside_the_example_is_understood(name: str) -> None:
    """Generated clients do."""
    operation = OPERATIONS[name]
    schema = dict(bodies())[name]
    defaults = {field: at["default"] for field, at in schema["properties"].items() if "default" in at}
    older = {field for field, at in schema["properties"].items() if at.get("deprecated")}
    assert defaults.keys() & older == set(), "a default beside the newer name would contradict it"
    assert operation.body is not None
    sent = {**defaults, **operation.example}
    assert validated(operation.body, sent, strict=True) == validated(operation.body, operation.example, strict=True)


def test_the_description_has_the_version_of_the_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(COPY.parents[1] / "setup.cfg")
    assert openapi_document(ROUTES)["info"]["version"] == setup["metadata"]["version"]


def test_the_page_needs_nothing_from_elsewhere_and_its_policy_allows_nothing_else() -> None:
    page = Description(ROUTES).page.decode()
    for outside in ("http://", "https://", "src=", "@import", "url(", "style=", "innerHTML", "eval("):
        assert outside not in page
    policy = Description(ROUTES).page_policy
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "*" not in policy


PROBLEM = {
    "type": "urn:chat4all:problem:not-found",
    "title": "Not Found",
    "status": 404,
    "detail": "there is no such group",
    "instance": "/v1/groups/x",
    "request_id": "1",
    "error": "there is no such group",
}


@pytest.mark.parametrize(
    ("changes", "headers", "breach"),
    [
        ({}, {}, ""),
        ({"more": 1}, {}, "more"),
        ({"status": "404"}, {}, "404"),
        ({}, {"Content-Type": "application/json"}, "application/json"),
        ({}, {"X-Request-Id": ""}, "X-Request-Id"),
    ],
)
def test_the_tests_see_an_answer_that_is_not_as_described(
    changes: dict[str, Any], headers: dict[str, str], breach: str
) -> None:
    all_headers = {"Content-Type": "application/problem+json", "X-Request-Id": "1", **headers}
    answer = json_response({**PROBLEM, **changes}, 404, {name: value for name, value in all_headers.items() if value})
    found = mismatch({"$ref": "#/components/responses/Problem404"}, answer)
    assert (breach in found) if breach else not found
