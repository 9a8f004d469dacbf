"""The console's files, read once and kept in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.settings import InvalidSetting

FOLDER = Path(__file__).parent / "static"
PAGE = "index.html"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# Pictures, films and sounds may come from the store of files, which is another origin with S3; ``blob:`` is a file that
# is being written. Everything else is this server's, but for the frame of telephones.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' http: https: data: blob:; media-src 'self' http: https: blob:; frame-src {frames}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SIMULATOR = '<meta name="simulator" content="">'
_MODULES = "<!-- modules -->"


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """A file of the console. ``etag``: quoted, a hash of the body."""

    body: bytes
    content_type: str
    etag: str


def policy(simulator_url: str = "") -> str:
    """Return the Content-Security-Policy of the page. It may frame the telephones at ``simulator_url``.

    Raises ``InvalidSetting`` for a URL that is more than scheme, host and port.
    """
    if simulator_url and not re.fullmatch(r"https?://[\w.\-\[\]:]+", simulator_url):
        raise InvalidSetting(
            f"CHAT4ALL_SIMULATOR_URL={simulator_url!r}: expected something like 'http://127.0.0.1:8090'"
        )
    return POLICY.format(frames=simulator_url or "'none'")


def console_files(simulator_url: str = "", folder: Path = FOLDER) -> dict[str, ConsoleFile]:
    """Return the files of ``folder`` by name. Others are never served. The page names ``simulator_url``."""
    found: dict[str, ConsoleFile] = {}
    for path in sorted(folder.iterdir()):
        if (kind := _TYPES.get(path.suffix)) is not None:
            body = path.read_bytes()
            if path.name == PAGE:
                body = _filled(body.decode(), sorted(folder.glob("*.js")), simulator_url).encode()
            found[path.name] = ConsoleFile(body, f"{kind}; charset=utf-8", f'"{sha256(body).hexdigest()[:16]}"')
    return found


def _filled(page: str, scripts: Sequence[Path], simulator_url: str) -> str:
    """Return the page with the telephones' address and all scripts named: they are fetched at once, not one by one as
    each names the next."""
    links = "\n".join(f'<link rel="modulepreload" href="console/{script.name}">' for script in scripts)
    return page.replace(_SIMULATOR, _SIMULATOR.replace('""', f'"{simulator_url}"')).replace(_MODULES, links)
