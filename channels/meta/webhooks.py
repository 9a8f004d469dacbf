"""How Meta's webhooks are verified and signed (checked 2026-11-27)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

SIGNATURE_HEADER = "x-hub-signature-256"
APP_SECRET = "app_secret"
_SHA256_PREFIX = "sha256="


def challenge(query: Mapping[str, str], verify_token: str) -> str | None:
    """Return ``hub.challenge`` if the request knows our ``verify_token``, else ``None``."""
    given = query.get("hub.verify_token", "")
    is_ours = bool(verify_token) and hmac.compare_digest(_bytes(given), _bytes(verify_token))
    if query.get("hub.mode") != "subscribe" or not is_ours:
        return None
    return query.get("hub.challenge")


def is_signed(headers: Mapping[str, str], body: bytes, app_secret: str) -> bool:
    """Return whether ``X-Hub-Signature-256`` is the HMAC of the raw body. Compares in constant time."""
    prefix, given = headers.get(SIGNATURE_HEADER, "")[:7], headers.get(SIGNATURE_HEADER, "")[7:]
    if not app_secret or prefix.lower() != _SHA256_PREFIX:
        return False
    expected = hmac.digest(_bytes(app_secret), body, sha256).hex()
    return hmac.compare_digest(_bytes(given.lower()), expected.encode())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
