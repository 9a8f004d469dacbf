"""Schemas of requests about files."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from domain.files import CHECKSUM
from web.contract.conversation_requests import ParticipantId
from web.contract.request_fields import NewConversationId, Schema, invalid


def _checksum(text: str) -> str:
    if text and not CHECKSUM.fullmatch(text.lower()):
        raise invalid('must be "sha256:" and 64 hexadecimal digits')
    return text.lower()


Checksum = Annotated[
    str,
    AfterValidator(_checksum),
    Field(
        description="Expected checksum of the file; a mismatch is refused.",
        examples=["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ),
]


class _ForConversation(Schema):
    recipient_id: Annotated[
        ParticipantId | None,
        Field(description="In place of `conversation_id`: an address or a user, for the direct conversation with it."),
    ] = None
    conversation_id: Annotated[
        NewConversationId | None, Field(validate_default=True, description="Required without `recipient_id`.")
    ] = None

    @field_validator("conversation_id")
    @classmethod
    def _is_one_of_two(cls, conversation_id: str | None, info: ValidationInfo) -> str | None:
        if "recipient_id" in info.data and (conversation_id is None) == (info.data["recipient_id"] is None):
            raise invalid("is required, or else recipient_id: give one of the two")
        return conversation_id


class FileForm(_ForConversation):
    """The form's fields besides the file."""

    checksum: Checksum = ""


class CopyFile(_ForConversation):
    """The target conversation."""

    model_config = ConfigDict(extra="forbid")
