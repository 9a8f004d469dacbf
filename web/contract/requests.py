"""Schemas of requests. All invalid fields are reported together; a body that creates a resource has no unknown ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from domain.addresses import NO_CHANNEL, parse_participant, parse_recipient, plain
from domain.content import check_content
from domain.errors import InvalidInput
from domain.ids import is_uuid
from domain.recipients import CHANNELS, INTERNAL
from domain.records import MAX_CONTENT_BYTES, MAX_CONVERSATION_ID_CHARS
from domain.text import fault_of, fault_of_id
from domain.usernames import names_user, parse_user
from web.accounts.password_rules import weakness_of
from web.cursors import CursorCodec, InvalidCursor
from web.history.cursor import HISTORY_CURSOR

MAX_OFFSET = 10_000
MAX_BATCH_MESSAGES = 500
MAX_CREDENTIAL_CHARS = 10_000
_USERNAME = re.compile(r"[A-Za-z0-9_]{3,50}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")
_NO_RECIPIENT = f"{NO_CHANNEL}; or be user:<username> or a user id"


def _wrong(detail: str) -> PydanticCustomError:
    # the detail is data, not a template: braces in it must not be filled in
    return PydanticCustomError("invalid", "{detail}", {"detail": detail})


def _conversation_id(text: str) -> str:
    if not 1 <= len(text) <= MAX_CONVERSATION_ID_CHARS:
        raise _wrong(f"must have 1 to {MAX_CONVERSATION_ID_CHARS} characters")
    if fault := fault_of_id(text):
        raise _wrong(fault)
    return text


def _new_conversation_id(text: str) -> str:
    """A path cannot name these two (RFC 3986, section 5.2.4): clients take ``/v1/conversations/..`` for another path,
    also if the dots are percent-encoded."""
    if text in (".", ".."):
        raise _wrong("must not be . or .., which no URL path can contain")
    return _conversation_id(text)


def _recipient(text: str) -> str:
    """An address, a user id, ``user:<username>``, or nothing: everyone in the conversation."""
    return _participant(text, _NO_RECIPIENT, _NO_RECIPIENT) if text else text


def _participant(text: str, otherwise: str, no_user_id: str | None) -> str:
    """Return an address, a user's id, or ``user:<username>`` in its normal form.

    A text without a colon that is neither is wrong for the reason ``otherwise``. Without a colon and not in the form
    of a user's id it is wrong for the reason ``no_user_id``, or returned as it is if that is ``None``.
    """
    text = plain(text)
    is_bare = ":" not in text
    try:
        if names_user(text):
            return parse_user(text)
        recipient = parse_participant(text)
    except InvalidInput as error:
        raise _wrong(otherwise if is_bare else str(error)) from None
    if recipient.channel != INTERNAL:
        return str(recipient)
    wrong = no_user_id if is_bare else "not a possible user id"
    if wrong is not None and not is_uuid(recipient.address.lower()):
        raise _wrong(wrong)
    return recipient.address


def _absent_if_null(value: object) -> object:
    return "" if value is None else value


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


def _file_id(text: str | None) -> str | None:
    if text is not None and not is_uuid(text.lower()):
        raise _wrong("must be the file_id of an uploaded file, or omitted")
    return text and text.lower()


def _username(text: str) -> str:
    if not _USERNAME.fullmatch(text):
        raise _wrong("must have 3 to 50 letters from A to Z, digits or underscores")
    return text


def _platform(text: str) -> str:
    if text.lower() not in CHANNELS:
        raise _wrong(f"must be one of {', '.join(CHANNELS)}")
    return text.lower()


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text) or fault_of(text):
        raise _wrong("must be an address such as name@example.org")
    return text


# what a validator above asks for is told to JSON Schema in json_schema_extra, as far as that can say it
ConversationId = Annotated[
    str,
    AfterValidator(_conversation_id),
    Field(
        json_schema_extra={"minLength": 1, "maxLength": MAX_CONVERSATION_ID_CHARS},
        description="Any characters except control and invisible characters.",
        examples=["family"],
    ),
]
NewConversationId = Annotated[
    str,
    AfterValidator(_new_conversation_id),
    Field(
        json_schema_extra={"minLength": 1, "maxLength": MAX_CONVERSATION_ID_CHARS},
        description='Printable characters, except "." and "..".',
        examples=["family"],
    ),
]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Tell of the older names that fields have, too."""
        described = handler(schema)
        properties = handler.resolve_ref_schema(described)["properties"]
        for name, field in cls.model_fields.items():
            for older in field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else ():
                if isinstance(older, str) and older != name:
                    beside = {"deprecated": True, "description": f"Older `{name}`; give one of them."}
                    properties[older] = {key: at for key, at in properties[name].items() if key != "default"} | beside
        return described


class _Creation(_Schema):
    """A body that creates something: a field that is not known may be a mistyped one, so it is refused."""

    model_config = ConfigDict(extra="forbid")


class CreateUser(_Creation):
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
            raise _wrong(weakness)
        return password


class CreateToken(_Schema):
    """Only the sizes are checked: any other wrong username or password is a 401 without a hint."""

    username: Annotated[str, Field(max_length=MAX_CREDENTIAL_CHARS)]
    password: Annotated[str, Field(max_length=MAX_CREDENTIAL_CHARS, repr=False)]


class RefreshSession(_Schema):
    refresh_token: Annotated[str, Field(max_length=MAX_CREDENTIAL_CHARS, repr=False)]


class EndSession(_Schema):
    """Without a refresh token, the session of the access token ends."""

    refresh_token: Annotated[str | None, Field(max_length=MAX_CREDENTIAL_CHARS, repr=False)] = None


class LinkIdentity(_Creation):
    platform: Annotated[str, AfterValidator(_platform), Field(json_schema_extra={"enum": list(CHANNELS)})]
    value: Annotated[str, Field(description="A telephone number or a name.", examples=["+5511999990000", "@maria"])]

    @field_validator("value")
    @classmethod
    def _is_an_address(cls, value: str, info: ValidationInfo) -> str:
        platform = info.data.get("platform")
        try:
            return parse_recipient(f"{platform}:{value}").address if platform else value
        except InvalidInput as error:
            raise _wrong(str(error)) from None


class CreateMessage(_Creation):
    """Text, a file, or both."""

    recipient_id: Annotated[
        str,
        BeforeValidator(_absent_if_null),
        AfterValidator(_recipient),
        Field(
            validation_alias=AliasChoices("recipient_id", "recipient"),
            validate_default=True,
            description="An address on a channel, `user:<username>` or a user's id. Without it, the message goes to "
            "everyone in the conversation.",
            examples=["whatsapp:+5511999990000", "instagram:@maria", "telegram:@maria", "user:maria"],
        ),
    ] = ""
    # after the recipient, who may stand in for it
    conversation_id: Annotated[
        NewConversationId | None,
        Field(
            validate_default=True,
            description="Optional with a recipient: then the message goes to the direct conversation of the two, with "
            "an id assigned by the system. Ids of your choice are shared by all users: first come, first served.",
        ),
    ] = None
    # before the content, which may be empty if there is a file
    file_id: Annotated[
        str | None,
        BeforeValidator(_absent_if_empty),
        AfterValidator(_file_id),
        Field(
            description="A complete file of this conversation (`POST /v1/files`).",
            examples=["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"],
        ),
    ] = None
    content: Annotated[
        str,
        BeforeValidator(_absent_if_null),
        Field(
            validate_default=True,
            json_schema_extra={"maxLength": MAX_CONTENT_BYTES},
            description=f"At most {MAX_CONTENT_BYTES} bytes of UTF-8, and within the channel's limit: WhatsApp "
            "and Telegram 4,096 characters, Instagram 999 bytes. May be empty with a file.",
            examples=["See you at eight"],
        ),
    ] = ""
    sender_id: Annotated[str | None, Field(description="Optional; must be the caller's user id or username.")] = None

    @field_validator("conversation_id")
    @classmethod
    def _is_known(cls, conversation_id: str | None, info: ValidationInfo) -> str | None:
        if conversation_id is None and info.data.get("recipient_id") == "":
            raise _wrong("is required without a recipient_id: give one of the two, or both")
        return conversation_id

    @field_validator("content")
    @classmethod
    def _can_be_delivered(cls, content: str, info: ValidationInfo) -> str:
        try:
            return check_content(content, has_file=info.data.get("file_id") is not None)
        except InvalidInput as error:
            raise _wrong(str(error)) from None


class CreateBatchItem(CreateMessage):
    idempotency_key: str | None = None


class CreateBatch(_Creation):
    """Each message is checked separately, so valid ones are accepted beside invalid ones."""

    messages: Annotated[list[CreateBatchItem], Field(min_length=1, max_length=MAX_BATCH_MESSAGES)]


def offset_alone(offset: int, info: ValidationInfo) -> int:
    """Return ``offset`` if no cursor stands beside it, which says the same in another way."""
    if offset and info.data.get("cursor") is not None:
        raise _wrong("give cursor or offset, not both")
    return offset


def cursor_of(codec: CursorCodec[Any]) -> Callable[[str | None], str | None]:
    """Return the validator of a cursor of ``codec``."""

    def checked(cursor: str | None) -> str | None:
        if cursor is not None:
            try:
                codec.decode(cursor)
            except InvalidCursor as error:
                raise _wrong(str(error)) from None
        return cursor

    return checked


class ListMessages(_Schema):
    """Of ``GET /v1/messages?conversation_id=…``: ``cursor`` or ``offset``, not both."""

    conversation_id: ConversationId
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    order: Literal["asc", "desc"] = "asc"
    cursor: Annotated[str | None, AfterValidator(cursor_of(HISTORY_CURSOR))] = None
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET), AfterValidator(offset_alone)] = 0
