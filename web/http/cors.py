"""Pages of other origins may call the API if the setting names them (Fetch standard, "CORS protocol"). Off by default.

Tokens travel in a header and there are no cookies, so no answer ever allows credentials.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.settings import InvalidSetting

ANY = "*"
EXPOSED_HEADERS = (
    "X-Request-Id, Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Idempotent-Replayed, "
    "Content-Disposition, Content-Range, Accept-Ranges, Upload-Offset, Upload-Length, Upload-Metadata, "
    "Upload-Expires, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm"
)
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, X-Request-Id, traceparent, Range, Tus-Resumable, Upload-Length, "
    "Upload-Metadata, Upload-Offset, Upload-Checksum, Upload-Concat, Upload-Defer-Length"
)
PREFLIGHT_SECONDS = 600
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/,]+|null")


class CorsPolicy:
    """``origins``: such as ``https://chat.example.org``, separated by commas; ``*`` for any; empty: none."""

    def __init__(self, origins: str) -> None:
        names = [name.strip().rstrip("/").lower() for name in origins.split(",") if name.strip()]
        for name in names:
            if name != ANY and not _ORIGIN.fullmatch(name):
                raise InvalidSetting(f"CHAT4ALL_CORS_ORIGINS: {name!r}: expected an origin such as https://example.org")
        self._origins = frozenset(names)

    @property
    def is_on(self) -> bool:
        """Whether any page may call."""
        return bool(self._origins)

    def headers_for(self, origin: str | None) -> Mapping[str, str]:
        """Return the CORS headers of a response to a page of ``origin``. ``Vary`` lets caches tell origins apart."""
        if ANY in self._origins:
            return {"Access-Control-Allow-Origin": ANY, "Access-Control-Expose-Headers": EXPOSED_HEADERS}
        if origin is None or origin.lower() not in self._origins:
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        }

    def allows(self, origin: str) -> bool:
        """Return whether a page of ``origin`` may call."""
        return ANY in self._origins or origin.lower() in self._origins


def preflight_headers(methods: Iterable[str]) -> Mapping[str, str]:
    """Return the further headers of a preflight response: the path's ``methods`` and the allowed request headers."""
    return {
        "Access-Control-Allow-Methods": ", ".join(sorted({*methods} - {"OPTIONS"})),
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
