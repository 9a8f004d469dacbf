"""What requests about files may hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from domain.files import CHECKSUM
from web.schemas import NewConversationId, _Schema, _wrong


def _checksum(text: str) -> str:
    if text and not CHECKSUM.fullmatch(text.lower()):
        raise _wrong('must be "sha256:" and 64 hexadecimal digits')
    return text.lower()


Checksum = Annotated[
    str,
    AfterValidator(_checksum),
    Field(description="What the file's bytes must have; it is refused if they do not.",
          examples=["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]),
]  # fmt: skip


class FileForm(_Schema):
    """The fields of the form beside the file itself."""

    conversation_id: NewConversationId
    checksum: Checksum = ""
