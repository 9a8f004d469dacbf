"""Operations on complete files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from web.contract import file_responses as file
from web.contract.file_requests import CopyFile, FileForm
from web.description.operations.operation import ANY_BYTES, FILES, FORM, Answer, Operation


class UploadForm(FileForm):
    """Fields in any order. If the conversation comes first, a caller outside it is refused before the file is read."""

    file: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]


class LinkQuery(BaseModel):
    expires: Annotated[str, Field(description="Epoch seconds.")]
    signature: str


CONTENT: Mapping[int, Answer] = {200: ANY_BYTES, 206: ANY_BYTES, 304: None}
OPERATIONS: Mapping[str, Operation] = {
    "POST /v1/files": Operation(
        FILES,
        "Upload a file",
        {201: file.File},
        (403, 409),
        UploadForm,
        body_kind=FORM,
        description="201 once the file is complete and durable; otherwise nothing is kept. At most 2 GiB (413). The "
        "type is detected from the bytes. For uploads that can be resumed use `/v1/uploads`.",
    ),
    "GET /v1/files/{file_id}": Operation(
        FILES,
        "Show a file",
        {200: file.File},
        (404, 410),
        description="404 for a caller outside the conversation. 410 once deleted.",
    ),
    "DELETE /v1/files/{file_id}": Operation(
        FILES,
        "Delete a file",
        {204: None},
        (403, 404),
        description="For its uploader and the admins of its group. 204 also if already deleted. Messages keep the "
        "file's id and metadata; its bytes are deleted. Messages with it that are not sent yet become "
        "FAILED (`file-missing`). Copies are kept.",
    ),
    "POST /v1/files/{file_id}/copy": Operation(
        FILES,
        "Copy a file into another conversation",
        {201: file.File},
        (403, 404, 409, 410),
        CopyFile,
        example={"conversation_id": "family"},
        description="For forwarding: the copy is a separate file of the caller with the same bytes and checksum. The "
        "bytes do not pass through the API. The caller must be a participant of both conversations; a "
        "target conversation that does not exist is created.",
    ),
    "GET /v1/files/{file_id}/download": Operation(
        FILES,
        "Get a download link",
        {200: file.Download},
        (404, 410),
        description="The link is valid for one hour.",
    ),
    "GET /v1/files/{file_id}/content": Operation(
        FILES,
        "Download a file",
        CONTENT,
        (404, 410, 412, 416),
        headers=("Range",),
        description="Always sent as an attachment, with `nosniff`.",
    ),
    "GET /v1/files/{file_id}/link": Operation(
        FILES,
        "Download a file by its link",
        CONTENT,
        (403, 404, 410, 412, 416),
        query=LinkQuery,
        headers=("Range",),
        description="The target of `download_url` when files are stored in a folder. 403 once the link has expired.",
    ),
}
