"""Headers and path parameters, as the API's description lists them."""

from __future__ import annotations

from typing import Any

from domain.recipients import CHANNELS
from web.uploads.tus import VERSION as VERSION_OF_TUS

HEADERS = {
    "X-Request-Id": "The request's id: the client's own if valid.",
    "Location": "URL of the resource.",
    "WWW-Authenticate": "`Bearer`.",
    "Retry-After": "Seconds to wait.",
    "RateLimit-Limit": "Capacity of the rate limit's bucket, in requests.",
    "RateLimit-Remaining": "Requests left.",
    "RateLimit-Reset": "Seconds until the limit is fully available again.",
    "Upgrade": "`websocket`.",
    "Content-Range": "The byte range and the file's size.",
    "Content-Disposition": "`attachment`, with the file's name.",
    "Accept-Ranges": "`bytes`.",
    "ETag": "The file's checksum.",
    "Upload-Offset": "Bytes stored durably.",
    "Upload-Length": "Size of the complete upload, in bytes.",
    "Upload-Metadata": "Metadata given at creation.",
    "Upload-Expires": "When the upload expires; absent once it is complete.",
    "Cache-Control": "`no-store`.",
    "Tus-Version": "`1.0.0`.",
    "Tus-Extension": "Supported tus extensions.",
    "Tus-Max-Size": "Largest upload, in bytes.",
    "Tus-Checksum-Algorithm": "Algorithms for `Upload-Checksum`.",
    "Idempotent-Replayed": "`true` if the response repeats that of an earlier request with the same key.",
}
PROBLEM_HEADERS = {
    416: ("Content-Range",),
    401: ("WWW-Authenticate",),
    423: ("Retry-After",),
    426: ("Upgrade",),
    429: ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    503: ("Retry-After",),
}
PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "conversation_id": {"type": "string", "minLength": 1, "examples": ["family"]},
    "message_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-8f1a-7b22-9c0d-1e2f3a4b5c6d"]},
    "group_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-7a01-7d22-8b3c-4d5e6f708192"]},
    "user_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-5d7b-7c10-8a3e-0b1f2a3c4d5e"]},
    "file_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"]},
    "letter_id": {"type": "string", "pattern": "^[0-9]+-[0-9]+$", "examples": ["3-1207"]},
    "user": {"type": "string", "description": "An id or a username.", "examples": ["maria"]},
    "channel": {"type": "string", "enum": list(CHANNELS)},
    "account": {"type": "string", "minLength": 1, "examples": ["default"]},
    "name": {"type": "string", "minLength": 1, "examples": ["app.js"]},
    "upload_id": {"type": "string", "minLength": 1, "examples": ["019aaf33-9b2c-7d33-8e4f-5a6b7c8d9e0f"]},
    "platform": {"type": "string", "enum": list(CHANNELS)},
    "value": {"type": "string", "minLength": 1, "examples": ["+5511999990000"]},
}
HEADER_PARAMETERS: dict[str, dict[str, Any]] = {
    "Range": {
        "description": "One range of bytes. Several ranges or an invalid one return the whole file.",
        "schema": {"type": "string", "examples": ["bytes=0-1023"]},
    },
    "Tus-Resumable": {
        "description": "Version of the tus protocol.",
        "required": True,
        "schema": {"type": "string", "enum": [VERSION_OF_TUS]},
    },
    "Upload-Length": {
        "description": "Size of the complete upload, in bytes.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$", "examples": ["1073741824"]},
    },
    "Upload-Offset": {
        "description": "Offset of the body's first byte.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$", "examples": ["0"]},
    },
    "Upload-Metadata": {
        "description": "Comma-separated pairs of a key and its value in base64.",
        "required": True,
        "schema": {"type": "string", "examples": ["filename aG9saWRheS5tcDQ=,conversation_id ZmFtaWx5"]},
    },
    "Upload-Checksum": {
        "description": "Algorithm and base64 digest of the body. On a mismatch none of its bytes are kept.",
        "schema": {"type": "string", "examples": ["sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]},
    },
    "Idempotency-Key": {
        "description": "Requests with the same key create one message.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "examples": ["order-4711"]},
    },
}
