"""Schemas of requests about messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationInfo, field_validator

from domain.accounts import ACCOUNT_NAME
from domain.addresses import NO_CHANNEL
from domain.content import check_content
from domain.errors import InvalidInput
from domain.expiry import MOST_DAYS_AHEAD
from domain.ids import is_uuid
from domain.kinds import INTERACTIVE, LOCATION, REACTION, TEMPLATE, TEXT
from domain.past_states import FOREVER_MS, Moment
from domain.records import MAX_CONTENT_BYTES
from web.contract.kind_requests import (
    CreateInteractive,
    CreateLocation,
    CreateReaction,
    CreateTemplate,
    message_id,
)
from web.contract.request_fields import (
    MAX_OFFSET,
    ConversationId,
    Creation,
    NewConversationId,
    Schema,
    cursor_of,
    invalid,
    offset_alone,
    participant,
)
from web.history.cursor import HISTORY_CURSOR

MAX_BATCH_MESSAGES = 500
MAX_BODY_BYTES = 32 * 1024  # of a kind's object; a record has at most 256 KiB
_KINDS = (INTERACTIVE, LOCATION, REACTION, TEMPLATE)
Part = CreateTemplate | CreateInteractive | CreateLocation | CreateReaction | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_EPOCH_MS = re.compile(r"\d{12,14}", re.ASCII)
_NO_RECIPIENT = f"{NO_CHANNEL}; or be user:<username> or a user id"


def _recipient(text: str) -> str:
    """An address, a user id, ``user:<username>``, or nothing: everyone in the conversation."""
    return participant(text, _NO_RECIPIENT, _NO_RECIPIENT) if text else text


def absent_if_null(value: object) -> object:
    return "" if value is None else value


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


def _file_id(text: str | None) -> str | None:
    if text is not None and not is_uuid(text.lower()):
        raise invalid("must be the file_id of an uploaded file, or omitted")
    return text and text.lower()


def _account(text: str | None) -> str | None:
    if text is not None and not ACCOUNT_NAME.fullmatch(text):
        raise invalid("must be the name of an account, or omitted")
    return text


def _kind_in(given: Mapping[str, Any]) -> str:
    """Return the kind among ``given``, ``TEXT`` if none of the others is there."""
    return next((kind for kind in _KINDS if given.get(kind) is not None), TEXT)


def _moment(text: str | None) -> str | None:
    if text is not None:
        try:
            _epoch_ms(text)
        except (ValueError, OverflowError):
            raise invalid("must be a time with an offset, such as 2026-11-28T22:00:00Z") from None
    return text


def _past_moment(text: str | None) -> str | None:
    if text is not None and not _EPOCH_MS.fullmatch(text):
        return _moment(text.replace(" ", "+"))  # an offset's plus that was not percent-encoded
    return text


def _epoch_ms(text: str) -> int:
    """Return epoch milliseconds. Raises ``ValueError`` or ``OverflowError`` for another form, or without an offset."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(milliseconds=1)


def _past_ms(text: str) -> int:
    return int(text) if _EPOCH_MS.fullmatch(text) else _epoch_ms(text)


class CreateMessage(Creation):
    """A text, a file, or both; or one of template, interactive, location and reaction."""

    recipient_id: Annotated[
        str,
        BeforeValidator(absent_if_null),
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
    reply_to: Annotated[
        str | None,
        BeforeValidator(_absent_if_empty),
        AfterValidator(message_id),
        Field(
            description="The message of this conversation that it answers, beside any kind but a reaction.",
            examples=["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"],
        ),
    ] = None
    template: Annotated[CreateTemplate | None, Field(description="In place of `content`; a file is its header.")] = None
    interactive: Annotated[CreateInteractive | None, Field(description="Beside `content`, its text.")] = None
    location: Annotated[CreateLocation | None, Field(description="In place of `content`.")] = None
    reaction: Annotated[CreateReaction | None, Field(description="In place of `content`.")] = None
    content: Annotated[
        str,
        BeforeValidator(absent_if_null),
        Field(
            validate_default=True,
            json_schema_extra={"maxLength": MAX_CONTENT_BYTES},
            description=f"At most {MAX_CONTENT_BYTES} bytes of UTF-8, and within the channel's limit: WhatsApp "
            "and Telegram 4,096 characters, Instagram 999 bytes. May be empty with a file, and must be beside a "
            "template, a location or a reaction.",
            examples=["See you at eight"],
        ),
    ] = ""
    sender_id: Annotated[str | None, Field(description="Optional; must be the caller's user id or username.")] = None
    account: Annotated[
        str | None,
        BeforeValidator(_absent_if_empty),
        AfterValidator(_account),
        Field(
            json_schema_extra={"pattern": f"^({ACCOUNT_NAME.pattern})?$"},
            description="Which of the system's accounts on the recipient's channel sends it. By default the "
            "conversation's, else the channel's first.",
            examples=["main"],
        ),
    ] = None
    expires_at: Annotated[
        str | None,
        AfterValidator(_moment),
        Field(
            json_schema_extra={"format": "date-time"},
            description="ISO 8601 with an offset, in the future and at most "
            f"{MOST_DAYS_AHEAD} days ahead. A message that is not sent by then becomes FAILED, `expired`. By default "
            "24 hours after acceptance.",
            examples=["2026-11-28T22:00:00Z"],
        ),
    ] = None
    priority: Annotated[
        Literal["normal", "bulk"],
        Field(description="`bulk`: it gives way to the other messages of its account."),
    ] = "normal"

    @property
    def not_after_ms(self) -> int:
        """``expires_at`` in epoch milliseconds, 0 without one."""
        return 0 if self.expires_at is None else _epoch_ms(self.expires_at)

    @field_validator("conversation_id")
    @classmethod
    def _is_known(cls, conversation_id: str | None, info: ValidationInfo) -> str | None:
        if conversation_id is None and info.data.get("recipient_id") == "":
            raise invalid("is required without a recipient_id: give one of the two, or both")
        return conversation_id

    @property
    def kind(self) -> str:
        """The kind as records have it (``domain/kinds.py``)."""
        return next((kind for kind in _KINDS if getattr(self, kind) is not None), TEXT)

    @property
    def body(self) -> Mapping[str, object]:
        """The kind's object as records have it."""
        kind = self.kind
        one: Part = None if kind == TEXT else getattr(self, kind)
        return {} if one is None else one.stored()

    @field_validator(*_KINDS)
    @classmethod
    def _is_alone(cls, value: Part, info: ValidationInfo) -> Part:
        if value is None:
            return value
        if (other := _kind_in(info.data)) != TEXT:
            raise invalid(f"cannot be beside {other}: a message has one kind")
        if info.data.get("file_id") is not None and (not isinstance(value, CreateTemplate) or value.parameters.header):
            raise invalid("cannot be beside file_id: a file goes with a text, or as the only header of a template")
        if info.field_name == REACTION and info.data.get("reply_to") is not None:
            raise invalid("cannot be beside reply_to")
        if isinstance(value, CreateInteractive) and (missing := value.missing):
            raise invalid(f"of the kind {value.kind} needs {' and '.join(missing)}")
        if len(orjson.dumps(value.stored())) > MAX_BODY_BYTES:
            raise invalid(f"must have at most {MAX_BODY_BYTES} bytes of JSON")
        return value

    @field_validator("content")
    @classmethod
    def _can_be_delivered(cls, content: str, info: ValidationInfo) -> str:
        kind = _kind_in(info.data)
        if kind in (TEMPLATE, LOCATION, REACTION):
            if content:
                raise invalid(f"must be empty beside {kind}")
            return content
        if not content and any(kind not in info.data for kind in _KINDS):
            return content  # the kind is there, and wrong
        try:
            return check_content(content, has_file=info.data.get("file_id") is not None)
        except InvalidInput as error:
            raise invalid(str(error)) from None


class CreateBatchItem(CreateMessage):
    idempotency_key: str | None = None


class CreateBatch(Creation):
    """Each message is checked separately, so valid ones are accepted beside invalid ones."""

    messages: Annotated[list[CreateBatchItem], Field(min_length=1, max_length=MAX_BATCH_MESSAGES)]


def _past(description: str) -> Any:
    return Field(
        json_schema_extra={"format": "date-time"},
        description=f"{description} ISO 8601 with an offset, or epoch milliseconds.",
        examples=["2026-11-28T14:03:00Z"],
    )


PastMoment = Annotated[str | None, AfterValidator(_past_moment)]


class ShowMessage(Schema):
    """Of ``GET /v1/messages/{message_id}``: the moment of the state, by two clocks; by default now."""

    as_of: Annotated[PastMoment, _past("What had happened by then, by the times of the facts.")] = None
    known_at: Annotated[PastMoment, _past("What the log knew by then, by the append times of its records.")] = None

    @property
    def moment(self) -> Moment | None:
        """The past moment that is asked for, ``None`` for now."""
        if self.as_of is None and self.known_at is None:
            return None
        return Moment(*(FOREVER_MS if text is None else _past_ms(text) for text in (self.as_of, self.known_at)))


class ReadMessage(Schema):
    """Of ``POST /v1/messages/{message_id}/read``. Unknown fields are ignored: older clients send some."""

    typing: Annotated[bool, Field(description="Show the person that an answer is being written.")] = False


class ListMessages(Schema):
    """Of ``GET /v1/messages?conversation_id=…``: ``cursor`` or ``offset``, not both."""

    conversation_id: ConversationId
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    order: Literal["asc", "desc"] = "asc"
    cursor: Annotated[str | None, AfterValidator(cursor_of(HISTORY_CURSOR))] = None
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET), AfterValidator(offset_alone)] = 0
