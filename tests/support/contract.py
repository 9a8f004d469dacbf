"""Every answer that the API gives in a test must be one that its description tells of."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from typing import Any

from aiohttp import web
from jsonschema_rs import Draft202012Validator, ValidationError

from web.description.openapi import openapi_document
from web.routes import ROUTES

REFUSED = "#/components/responses/Problem"


class Contract:
    """Collects in ``breaches`` what was answered and is not described. A 500 is a matter for the tests themselves."""

    def __init__(self) -> None:
        self.breaches: list[str] = []

    async def check(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Called when the head of an answer is complete."""
        if breach := breach_of(request, answer):
            self.breaches.append(f"{request.method} {request.path} {answer.status}: {breach}")


def breach_of(request: web.Request, answer: web.StreamResponse) -> str:
    """Return how ``answer`` differs from the description; empty if it does not."""
    resource = request.match_info.route.resource
    status = str(answer.status)
    if request.method == "OPTIONS" and status == "204":  # CORS
        return ""
    if resource is None or status in ("405", "500"):  # answers of the house, not of an operation
        return mismatch({"$ref": f"{REFUSED}400"}, answer)
    methods = described()["paths"][resource.canonical]
    method = "get" if request.method == "HEAD" and "head" not in methods else request.method.lower()
    responses = methods[method]["responses"]
    if status not in responses:
        return f"only {', '.join(responses)} are described"
    return mismatch(responses[status], answer)


def mismatch(response: dict[str, Any], answer: web.StreamResponse) -> str:
    response = resolved(response)
    missing = [
        name
        for name in response.get("headers", {})
        if name not in answer.headers and name not in ("Idempotent-Replayed", "Location", "Upload-Expires")
    ]
    if missing and answer.status != 101:
        return f"without {missing}"
    if "content" not in response:
        body = answer.body if isinstance(answer, web.Response) else None
        return "a body where none is described" if body else ""
    kinds = response["content"]
    if "*/*" in kinds:
        return ""
    if answer.content_type not in kinds:
        return f"{answer.content_type}, not {', '.join(kinds)}"
    if not answer.content_type.endswith("json"):
        return ""
    assert isinstance(answer, web.Response)
    assert isinstance(answer.body, bytes)
    try:
        validator(json.dumps(kinds[answer.content_type]["schema"])).validate(json.loads(answer.body))
    except ValidationError as error:
        return str(error)
    return ""


@cache
def described() -> dict[str, Any]:
    """The description, but with nothing allowed that it does not name."""
    document = deepcopy(openapi_document(ROUTES))
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return document


@cache
def validator(schema: str) -> Any:
    return Draft202012Validator({**json.loads(schema), "components": described()["components"]}, validate_formats=True)


def resolved(thing: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in thing:
        return thing
    found: Any = described()
    for key in thing["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return dict(found)
