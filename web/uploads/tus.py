"""Parse and write the headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload): values in, values out, no I/O.

Upload-Length: 1073741824
Upload-Metadata: filename aG9saWRheS5tcDQ=,conversation_id ZmFtaWx5
Upload-Checksum: sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime

from domain.errors import InvalidInput
from domain.files import File, safe_filename
from domain.ports import Upload
from web.contract.file_requests import FileForm
from web.errors import FieldErrors, UnsupportedMediaType, UnsupportedTusVersion
from web.http.bodies import validated
from web.http.responses import utc
from web.uploads.hashing import WantedDigest

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"
ALGORITHMS = ("sha1", "sha256", "md5")  # sha1 is the one that every server must have
OFFSET_STREAM = "application/offset+octet-stream"
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_DIGEST_BYTES = {name: hashlib.new(name, usedforsecurity=False).digest_size for name in ALGORITHMS}
_OWN_KEYS = ("filename", "conversation_id", "recipient_id", "checksum")

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Creation:
    """The request of ``POST /v1/uploads``. ``checksum``: of the whole file, "sha256:<hex>", or empty.

    One of ``conversation_id`` and ``recipient_id`` is empty.
    """

    size_bytes: int
    conversation_id: str
    filename: str
    checksum: str
    recipient_id: str = ""


def check_version(headers: Headers) -> None:
    """Raise ``UnsupportedTusVersion`` unless the client speaks version ``VERSION``."""
    given = headers.get("Tus-Resumable", "").strip()
    if given != VERSION:
        raise UnsupportedTusVersion(
            f"Tus-Resumable is {given[:40]!r}; it must be {VERSION}" if given else f"send Tus-Resumable: {VERSION}",
            VERSION,
        )


def check_media_type(content_type: str) -> None:
    """Raise ``UnsupportedMediaType`` unless the type is ``OFFSET_STREAM``."""
    if content_type != OFFSET_STREAM:
        raise UnsupportedMediaType(f"send the bytes with Content-Type: {OFFSET_STREAM}")


def creation_of(headers: Headers) -> Creation:
    """Return the requested upload. Raises ``FieldErrors`` with every wrong header."""
    wrong: list[tuple[str, str]] = []
    size_bytes = 0
    try:
        if "Upload-Defer-Length" in headers:
            raise InvalidInput("a deferred length is not supported", "Upload-Defer-Length")
        size_bytes = _number(headers, "Upload-Length")
    except InvalidInput as error:
        wrong.append((error.field, str(error)))
    fields: dict[str, str] = {}
    try:
        for name, value in _metadata(headers.get("Upload-Metadata", "")).items():
            if name in _OWN_KEYS:
                fields[name] = _text(name, value)
    except InvalidInput as error:
        wrong.append((error.field, str(error)))
    else:
        try:
            form = validated(FileForm, {name: fields[name] for name in fields if name != "filename"}, strict=True)
        except FieldErrors as error:
            wrong += error.found
    if wrong:
        raise FieldErrors(wrong)
    filename = safe_filename(fields.get("filename", ""))
    return Creation(size_bytes, form.conversation_id or "", filename, form.checksum, form.recipient_id or "")


def offset_of(headers: Headers) -> int:
    """Return the client's offset in bytes. Raises ``InvalidInput``."""
    return _number(headers, "Upload-Offset")


def digest_of(headers: Headers) -> WantedDigest | None:
    """Return the expected digest of the body, ``None`` if the client gives none. Raises ``InvalidInput``."""
    name = "Upload-Checksum"
    given = headers.get(name)
    if given is None:
        return None
    algorithm, _, value = given.strip().partition(" ")
    algorithm = algorithm.lower()
    if algorithm not in ALGORITHMS:
        raise InvalidInput(f"the algorithm must be one of {', '.join(ALGORITHMS)}", name)
    digest = _unbase64(value.strip(), name)
    if len(digest) != _DIGEST_BYTES[algorithm]:
        raise InvalidInput(f"is not a {algorithm} digest in base64", name)
    return WantedDigest(algorithm, digest)


def id_of(known: Upload | File) -> str:
    """Return the id. An upload and its file have the same one."""
    return known.file_id if isinstance(known, File) else known.upload_id


def headers_of(known: Upload | File) -> dict[str, str]:
    """Return the headers of every answer about an upload or its file: the offset, and the expiry of an upload."""
    if isinstance(known, File):
        return {"Upload-Offset": str(known.metadata.size_bytes)}
    return {"Upload-Offset": str(known.offset_bytes), "Upload-Expires": http_date(known.expires_at_ms)}


def facts_of(known: Upload | File) -> dict[str, str]:
    """Return the further headers of ``HEAD``: the length, and the kept metadata."""
    if isinstance(known, File):
        size_bytes, filename, checksum = known.metadata.size_bytes, known.metadata.filename, known.metadata.checksum
    else:
        size_bytes, filename, checksum = known.size_bytes or 0, known.filename, known.expected_checksum
    values = {"filename": filename, "conversation_id": known.conversation_id, "checksum": checksum}
    pairs = [f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items() if value]
    return {"Upload-Length": str(size_bytes), "Upload-Metadata": ",".join(pairs)}


def http_date(epoch_ms: int) -> str:
    """Return the time as HTTP writes it: ``Sat, 22 Nov 2025 22:00:00 GMT``."""
    return format_datetime(utc(epoch_ms), usegmt=True)


def _number(headers: Headers, name: str) -> int:
    given = headers.get(name)
    if given is None:
        raise InvalidInput("is required", name)
    given = given.strip(" \t")  # what may stand around a header's value, and no other white space
    if not _NUMBER.fullmatch(given):
        raise InvalidInput("must be a number of bytes", name)
    return int(given)


def _metadata(text: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, value = pair.strip().partition(" ")
        if not key or key in found:
            raise InvalidInput('must be pairs "key base64(value)" between commas, each key once', "Upload-Metadata")
        found[key] = _unbase64(value.strip(), "Upload-Metadata")
    return found


def _unbase64(text: str, name: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("has a value that is not base64", name) from None


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInput("is not UTF-8", name) from None
