"""The fields common to schemas of requests: their bases, ids, participants, and the parameters of pages.

All invalid fields are reported together; a body that creates a resource has no unknown ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from domain.addresses import parse_participant, plain
from domain.errors import InvalidInput
from domain.ids import is_uuid
from domain.recipients import INTERNAL
from domain.records import MAX_CONVERSATION_ID_CHARS
from domain.text import fault_of_id
from domain.usernames import names_user, parse_user
from web.cursors import CursorCodec, InvalidCursor

MAX_OFFSET = 10_000


def invalid(detail: str) -> PydanticCustomError:
    # the detail is data, not a template: braces in it must not be filled in
    return PydanticCustomError("invalid", "{detail}", {"detail": detail})


def _conversation_id(text: str) -> str:
    if not 1 <= len(text) <= MAX_CONVERSATION_ID_CHARS:
        raise invalid(f"must have 1 to {MAX_CONVERSATION_ID_CHARS} characters")
    if fault := fault_of_id(text):
        raise invalid(fault)
    return text


def _new_conversation_id(text: str) -> str:
    """A path cannot name these two (RFC 3986, section 5.2.4): clients take ``/v1/conversations/..`` for another path,
    also if the dots are percent-encoded."""
    if text in (".", ".."):
        raise invalid("must not be . or .., which no URL path can contain")
    return _conversation_id(text)


def participant(text: str, otherwise: str, no_user_id: str | None) -> str:
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
        raise invalid(otherwise if is_bare else str(error)) from None
    if recipient.channel != INTERNAL:
        return str(recipient)
    wrong = no_user_id if is_bare else "not a possible user id"
    if wrong is not None and not is_uuid(recipient.address.lower()):
        raise invalid(wrong)
    return recipient.address


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


class Schema(BaseModel):
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


class Creation(Schema):
    """A body that creates something: a field that is not known may be a mistyped one, so it is refused."""

    model_config = ConfigDict(extra="forbid")


def offset_alone(offset: int, info: ValidationInfo) -> int:
    """Return ``offset`` if no cursor stands beside it, which says the same in another way."""
    if offset and info.data.get("cursor") is not None:
        raise invalid("give cursor or offset, not both")
    return offset


def cursor_of(codec: CursorCodec[Any]) -> Callable[[str | None], str | None]:
    """Return the validator of a cursor of ``codec``."""

    def checked(cursor: str | None) -> str | None:
        if cursor is not None:
            try:
                codec.decode(cursor)
            except InvalidCursor as error:
                raise invalid(str(error)) from None
        return cursor

    return checked
