"""The console's files, read once and kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
PAGE = "index.html"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# Pictures may come from the store of files, which is another origin with S3. Everything else is this server's.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' http: https: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """A file of the console. ``etag``: quoted, a hash of the body."""

    body: bytes
    content_type: str
    etag: str


def console_files(folder: Path = FOLDER) -> dict[str, ConsoleFile]:
    """Return the files of ``folder`` by name. Others are never served."""
    found: dict[str, ConsoleFile] = {}
    for path in sorted(folder.iterdir()):
        if (kind := _TYPES.get(path.suffix)) is not None:
            body = path.read_bytes()
            found[path.name] = ConsoleFile(body, f"{kind}; charset=utf-8", f'"{sha256(body).hexdigest()[:16]}"')
    return found
