"""The schema of a problem, the body of every unsuccessful response."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    field: Annotated[
        str,
        Field(description="Name of the field as the caller wrote it; empty for the whole body.", examples=["content"]),
    ]
    detail: Annotated[str, Field(examples=["must not be empty"])]


class Problem(BaseModel):
    """RFC 9457."""

    type: Annotated[
        str, Field(examples=["urn:chat4all:problem:invalid-input"], description="Stable identifier of the problem.")
    ]
    title: Annotated[str, Field(examples=["Bad Request"])]
    status: Annotated[int, Field(ge=400, le=599, examples=[400])]
    detail: Annotated[str, Field(examples=["content: must not be empty"])]
    instance: Annotated[str, Field(description="The requested path.", examples=["/v1/messages"])]
    request_id: Annotated[str, Field(examples=["5f0c2d7e9b1a4c3d8e6f7a8b9c0d1e2f"])]
    error: Annotated[str, Field(description="Same as `detail`, for older clients.", examples=["content: …"])]
    errors: Annotated[list[FieldProblem], Field(description="All invalid fields.")] = []
    message_id: Annotated[
        str,
        Field(
            examples=["019aaf33-8f1a-7b22-9c0d-1e2f3a4b5c6d"],
            description="Message that may have been accepted despite a 503: check `GET /v1/messages/{message_id}`.",
        ),
    ] = ""
    may_have_been_accepted: Annotated[
        bool,
        Field(
            examples=[True],
            description="`true` beside `message_id`; a 503 without it accepted nothing. A repetition with the same "
            "`Idempotency-Key` is the same message; without a key it is another one.",
        ),
    ] = False
