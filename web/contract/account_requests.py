"""Schemas of requests about accounts and linked identities."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from domain.addresses import parse_recipient
from domain.errors import InvalidInput
from domain.recipients import CHANNELS
from domain.text import fault_of
from web.accounts.password_rules import weakness_of
from web.contract.request_fields import Creation, Schema, invalid

MAX_CREDENTIAL_CHARS = 10_000
_USERNAME = re.compile(r"[A-Za-z0-9_]{3,50}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")


def _username(text: str) -> str:
    if not _USERNAME.fullmatch(text):
        raise invalid("must have 3 to 50 letters from A to Z, digits or underscores")
    return text


def _platform(text: str) -> str:
    if text.lower() not in CHANNELS:
        raise invalid(f"must be one of {', '.join(CHANNELS)}")
    return text.lower()


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text) or fault_of(text):
        raise invalid("must be an address such as name@example.org")
    return text


class CreateUser(Creation):
    username: Annotated[
        str,
        AfterValidator(_username),
        Field(json_schema_extra={"pattern": f"^{_USERNAME.pattern}$"}, examples=["maria"]),
    ]
    password: str = Field(repr=False, json_schema_extra={"minLength": 8, "format": "password"})
    email: Annotated[str, AfterValidator(_email), Field(json_schema_extra={"format": "email"})] | None = None

    @field_validator("password")
    @classmethod
    def _is_strong_enough(cls, password: str, info: ValidationInfo) -> str:
        weakness = weakness_of(password, info.data.get("username", ""))
        if weakness:
            raise invalid(weakness)
        return password


class CreateToken(Schema):
    """Only the sizes are checked: any other wrong username or password is a 401 without a hint."""

    username: Annotated[str, Field(max_length=MAX_CREDENTIAL_CHARS)]
    password: Annotated[str, Field(max_length=MAX_CREDENTIAL_CHARS, repr=False)]


class RefreshSession(Schema):
    refresh_token: Annotated[str, Field(max_length=MAX_CREDENTIAL_CHARS, repr=False)]


class EndSession(Schema):
    """Without a refresh token, the session of the access token ends."""

    refresh_token: Annotated[str | None, Field(max_length=MAX_CREDENTIAL_CHARS, repr=False)] = None


class LinkIdentity(Creation):
    platform: Annotated[str, AfterValidator(_platform), Field(json_schema_extra={"enum": list(CHANNELS)})]
    value: Annotated[str, Field(description="A telephone number or a name.", examples=["+5511999990000", "@maria"])]

    @field_validator("value")
    @classmethod
    def _is_an_address(cls, value: str, info: ValidationInfo) -> str:
        platform = info.data.get("platform")
        try:
            return parse_recipient(f"{platform}:{value}").address if platform else value
        except InvalidInput as error:
            raise invalid(str(error)) from None
