"""Security headers of every response."""

from __future__ import annotations

from collections.abc import Mapping

# Responses are data. A page (/docs) sets its own, wider Content-Security-Policy.
SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
SERVER = "chat4all"  # aiohttp would tell its version and Python's
