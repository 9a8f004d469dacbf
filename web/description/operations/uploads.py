"""Operations on resumable uploads (tus)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import RootModel

from web.description.operations.operation import FILES, Operation
from web.uploads.tus import OFFSET_STREAM


class FileBytes(RootModel[bytes]):
    """Bytes of a file, from an offset on."""


TUS_OPTIONS = Operation(
    FILES,
    "Supported tus features",
    {204: None},
    is_local=True,
    answer_headers=("Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
)

OPERATIONS: Mapping[str, Operation] = {
    "OPTIONS /v1/uploads": TUS_OPTIONS,
    "POST /v1/uploads": Operation(
        FILES,
        "Create a resumable upload (tus 1.0.0)",
        {201: None},
        (403, 409, 412, 423, 460),
        FileBytes,
        is_body_required=False,
        body_kind=OFFSET_STREAM,
        headers=("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Checksum"),
        answer_headers=("Upload-Offset", "Upload-Expires"),
        description='Metadata: `conversation_id` is required; `filename` and `checksum` ("sha256:<hex>" of the whole '
        "file) are optional. The body may contain the first bytes. The last segment of `Location` is the "
        "future file's id. 409 if a newer request has taken the upload over.",
    ),
    "OPTIONS /v1/uploads/{upload_id}": TUS_OPTIONS,
    "HEAD /v1/uploads/{upload_id}": Operation(
        FILES,
        "Show an upload's offset",
        {200: None},
        (404, 409, 410, 412, 423, 460),
        headers=("Tus-Resumable",),
        answer_headers=("Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Cache-Control"),
        description="The upload is a file once its offset equals its length. 423 while another server completes it.",
    ),
    "PATCH /v1/uploads/{upload_id}": Operation(
        FILES,
        "Append to an upload",
        {204: None},
        (403, 404, 409, 410, 412, 423, 460),
        FileBytes,
        body_kind=OFFSET_STREAM,
        headers=("Tus-Resumable", "Upload-Offset", "Upload-Checksum"),
        answer_headers=("Upload-Offset", "Upload-Expires"),
        description="204 once the bytes are durable; after the last byte, once the file is complete. The bytes of an "
        "interrupted request are kept. 409 if the offset differs, or a newer request has taken over.",
    ),
    "DELETE /v1/uploads/{upload_id}": Operation(
        FILES,
        "Delete an upload",
        {204: None},
        (404, 409, 410, 412, 423),
        headers=("Tus-Resumable",),
        description="Deletes all its bytes. 409 if the upload is already a file.",
    ),
}
