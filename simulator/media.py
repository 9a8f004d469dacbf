"""Files that accounts and people sent, in memory and bounded; the oldest are forgotten."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

MB = 1_000_000
MOST_BYTES = 512 * MB  # of all files together
MOST_FILES = 20_000
# WhatsApp, "Supported media types", checked 2026-11-27; a sticker: 500 kB if it is animated
CAPS = {"image": 5 * MB, "audio": 16 * MB, "video": 16 * MB, "document": 100 * MB, "sticker": 500_000}

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# what a person sends who names no file
SAMPLES = {
    "image": (_PIXEL, "image/png", "photo.png"),
    "sticker": (_PIXEL, "image/webp", "sticker.webp"),
    "audio": (b"OggS" + bytes(60), "audio/ogg", "voice.ogg"),
    "video": (b"\0\0\0\x18ftypmp42" + bytes(60), "video/mp4", "clip.mp4"),
    "document": (b"%PDF-1.4\n%%EOF\n", "application/pdf", "paper.pdf"),
}


@dataclass(frozen=True, slots=True)
class File:
    """A file. ``key``: of the account that has it, its channel and name."""

    id: str
    key: tuple[str, str]
    content: bytes
    mime_type: str
    name: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class MediaStore:
    """The files by their id."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    def add(self, key: tuple[str, str], content: bytes, mime_type: str, name: str = "", id: str = "") -> File:
        """Keep a file; ids are digits, as Meta's are, unless one is given."""
        file = File(id or str(secrets.randbelow(9 * 10**15) + 10**15), key, content, mime_type, name)
        self._files[file.id] = file
        self._bytes += len(content)
        while self._bytes > MOST_BYTES or len(self._files) > MOST_FILES:
            _, oldest = self._files.popitem(last=False)
            self._bytes -= len(oldest.content)
        return file

    def found(self, id: str) -> File | None:
        return self._files.get(id)

    def remove(self, id: str) -> None:
        if (file := self._files.pop(id, None)) is not None:
            self._bytes -= len(file.content)


def kind_of(mime_type: str) -> str:
    """Return the kind of message for a file of this type."""
    main = mime_type.partition("/")[0]
    if mime_type.startswith("image/webp"):
        return "sticker"
    return main if main in ("image", "audio", "video") else "document"
