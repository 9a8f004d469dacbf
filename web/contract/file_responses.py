"""Schemas of responses about files."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from web.contract.response_fields import ConversationIdOf, FileId, Party, Time, UserId


class FileMetadata(BaseModel):
    filename: Annotated[str, Field(examples=["photo.jpg"])]
    size_bytes: Annotated[int, Field(ge=0, examples=[182044])]
    mimetype: Annotated[str, Field(description="Detected from the bytes.", examples=["image/jpeg"])]
    checksum: Annotated[
        str,
        Field(
            pattern=r"^sha256:[0-9a-f]{64}$",
            examples=["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        ),
    ]


class File(FileMetadata):
    file_id: FileId
    conversation_id: ConversationIdOf
    uploader_id: UserId
    uploader: Party
    storage_path: Annotated[
        str, Field(description="Key of the object in the store.", examples=["family/0193f2a0-….jpg"])
    ]
    uploaded_at: Time


class Download(File):
    download_url: Annotated[str, Field(description="Needs no token; valid until `expires_at`.")]
    expires_at: Time
