"""Schemas of responses about accounts and linked identities."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from web.contract.response_fields import Platform, Time, UserId, Username


class User(BaseModel):
    user_id: UserId
    username: Annotated[str, Field(examples=["maria"])]
    email: Annotated[str | None, Field(examples=["maria@example.org"])]
    created_at: Time


class Me(User):
    roles: Annotated[list[Literal["admin"]], Field(description="What the user may do besides.")]


class Session(BaseModel):
    access_token: Annotated[str, Field(description="A JWT: send it as `Authorization: Bearer …`.", examples=["eyJ…"])]
    token: Annotated[str, Field(description="Same as `access_token`, for older clients.", examples=["eyJ…"])]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(ge=0, description="Lifetime of the access token in seconds.", examples=[3600])]
    user_id: UserId
    username: Username
    refresh_token: Annotated[
        str, Field(description="Valid for one refresh; the response contains the next one.", examples=["rt_…"])
    ]
    refresh_expires_in: Annotated[
        int, Field(ge=0, description="Lifetime of the refresh token in seconds.", examples=[2592000])
    ]


class Identity(BaseModel):
    user_id: UserId
    username: Username
    platform: Platform
    value: Annotated[str, Field(description="Normalised.", examples=["+5511999990000"])]
    verified: Annotated[
        bool,
        Field(
            description="Whether the user has proven that the address is theirs. Nothing proves it yet, so it is "
            "false: the link is the user's own claim, and others may claim the same address."
        ),
    ]
    contested: Annotated[
        bool,
        Field(
            description="Whether another user links this address too. While it is so, messages to the user do not go "
            "there, but to their next link, else inside the system."
        ),
    ]
    linked_at: Time


class Identities(BaseModel):
    user_id: UserId
    username: Username
    identities: list[Identity]


class UnlinkedIdentity(BaseModel):
    user_id: UserId
    username: Username
    platform: Platform
    value: Annotated[str, Field(examples=["+5511999990000"])]
