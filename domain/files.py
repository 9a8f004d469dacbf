"""A file's facts, its safe name, and its keys in the store."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

from domain.errors import InvalidInput
from domain.text import WITHIN_WORDS, is_blank, is_control

MIB = 1024 * 1024
MAX_FILE_BYTES = 2 * 1024 * MIB
# Every part but the last has so many bytes: S3's minimum. A file of 2 GiB has 410 parts; S3 takes 10,000, and lists
# 1,000 at a time. Changing it breaks the uploads that are under way.
PART_BYTES = 5 * MIB
MAX_FILENAME_BYTES = 255  # of UTF-8: what file systems take
FALLBACK_NAME = "file"
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
MAX_STORED_BYTES = 10_000 * PART_BYTES  # what can be stored at all; how much may be uploaded is a setting
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]+")
_MIMETYPE = re.compile(r"[!#$&^_.+\w-]{1,127}/[!#$&^_.+\w-]{1,127}(;[\x20-\x7e]{1,100})?", re.ASCII)  # RFC 6838
_MAX_SEGMENT_CHARS = 200  # of a key's first segment; S3 keys have at most 1,024 bytes, names in folders 255
_SEPARATORS = re.compile(r"[/\\]")
# What percent-encoding leaves; S3 takes keys of 1,024 bytes
_KEY = re.compile(r"[A-Za-z0-9_.~%/-]{1,1024}", re.ASCII)
_UPLOADS = ".uploads/"
_NO_SEGMENTS = frozenset({"", ".", ".."})
_EXTENSION = re.compile(r"\.[a-z0-9]{1,12}", re.ASCII)
# Characters that Windows refuses in names, and those that shells and headers make trouble with
_UNWANTED = frozenset('<>:"|?*')
# Cf format (directions, zero-width), Co private use; but not joiners, within words and emoji, and not the tags of flags
_UNWANTED_CATEGORIES = frozenset({"Cf", "Co"})


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """The metadata of a file: sent with a message through Kafka and shown in every answer.

    ``checksum``: "sha256:<64 hex digits>" of the bytes. ``storage_path``: the object's key in the store.
    """

    filename: str
    size_bytes: int
    mimetype: str
    checksum: str
    storage_path: str


@dataclass(frozen=True, slots=True)
class File:
    """A whole, immutable file. Times are epoch milliseconds; ``deleted_at_ms`` is 0 unless it is deleted.

    The record of a deleted file stays, because messages name it; its bytes are deleted.
    """

    file_id: str
    conversation_id: str
    uploader_id: str
    metadata: FileMetadata
    uploaded_at_ms: int
    deleted_at_ms: int = 0


def metadata_fault(metadata: FileMetadata) -> str | None:
    """Return the name of the first invalid field, ``None`` if all are valid."""
    m = metadata
    if not _NAME.fullmatch(m.filename) or len(m.filename.encode()) > MAX_FILENAME_BYTES:
        return "filename"
    if not 0 <= m.size_bytes <= MAX_STORED_BYTES:
        return "size_bytes"
    if not _MIMETYPE.fullmatch(m.mimetype):
        return "mimetype"
    if not CHECKSUM.fullmatch(m.checksum):
        return "checksum"
    try:
        return "storage_path" if checked_key(m.storage_path).startswith(_UPLOADS) else None
    except InvalidInput:
        return "storage_path"


def safe_filename(given: str) -> str:
    """Return a name that is safe on any system and in any header: the last segment of ``given``, in NFC, without
    control and format characters, not hidden, and at most ``MAX_FILENAME_BYTES`` bytes of UTF-8 with its extension
    kept. ``FALLBACK_NAME`` if nothing is left.
    """
    name = unicodedata.normalize("NFC", _SEPARATORS.split(given)[-1])
    name = "".join(map(_acceptable, name))
    name = re.sub(r"\s+", " ", name).strip(" .")
    if is_blank(name.strip("_-")):
        return FALLBACK_NAME
    if len(name.encode()) > MAX_FILENAME_BYTES:
        stem, dot, extension = name.rpartition(".")
        if not dot or not stem or len(extension.encode()) > MAX_FILENAME_BYTES // 4:
            stem, dot, extension = name, "", ""
        kept = stem.encode()[: MAX_FILENAME_BYTES - len((dot + extension).encode())].decode(errors="ignore")
        name = kept.rstrip(" .") + dot + extension
    return name


def _acceptable(character: str) -> str:
    if character in WITHIN_WORDS:
        return character
    if is_control(character) or unicodedata.category(character) in _UNWANTED_CATEGORIES:
        return " " if character in "\t\n\r" else ""
    return "_" if character in _UNWANTED else character


def extension_of(filename: str) -> str:
    """Return the extension of a safe name with its dot, in lower case; empty if it has no plain ASCII one."""
    stem, dot, extension = filename.rpartition(".")
    found = f".{extension.lower()}"
    return found if stem and dot and _EXTENSION.fullmatch(found) else ""


def storage_key(conversation_id: str, file_id: str, filename: str) -> str:
    """Return "<conversation>/<file_id><ext>", the conversation encoded as one safe segment of a path.

    Its id is percent-encoded (RFC 3986) where it is not ``A-Za-z0-9_.-~``, and at a leading dot, which would hide a
    folder or mean another one. An id too long after this is replaced by its SHA-256.
    """
    segment = quote(conversation_id, safe="")
    if segment.startswith("."):
        segment = f"%2E{segment[1:]}"
    if len(segment) > _MAX_SEGMENT_CHARS:
        segment = f"sha256-{sha256(conversation_id.encode()).hexdigest()}"
    return f"{segment}/{file_id}{extension_of(filename)}"


def staging_key(file_id: str) -> str:
    """Return where a file's bytes stay while its conversation is not known; no conversation has this folder."""
    return f"{_UPLOADS}{file_id}"


def incomplete_part_key(file_id: str, offset_bytes: int) -> str:
    """Return the key of an upload's incomplete part: the bytes before ``offset_bytes`` after its last full part.

    Each offset has its own key, so a late write by a process without its lease replaces no other object.
    """
    return f"{_UPLOADS}{file_id}.{offset_bytes}"


def checked_key(key: str) -> str:
    """Return ``key`` if it is valid: segments between slashes, none of them a relative folder. Our own functions make
    no others, so this is a second fence. Raises ``InvalidInput``.
    """
    segments = key.split("/")
    is_safe = all(segment not in _NO_SEGMENTS and len(segment) <= MAX_FILENAME_BYTES for segment in segments)
    if not is_safe or not _KEY.fullmatch(key):
        raise InvalidInput(f"{key!r:.80} is no key of a stored file")
    return key


def file_id_of(key: str) -> str:
    """Return the id of the file of the object at ``key``, for every kind of key."""
    return key.rpartition("/")[2].partition(".")[0]
