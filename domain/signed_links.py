"""Download links signed by us: anybody with the link gets the file until it expires, without a token.

    /v1/files/<file_id>/link?expires=<epoch seconds>&signature=<hex HMAC-SHA256 of file_id and expires>

The key is derived from the secret of the tokens, so a signature of one can never pass for the other.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from enum import Enum
from hashlib import sha256
from urllib.parse import quote

_PURPOSE = b"chat4all file links 1"
_EXPIRES = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


class LinkState(Enum):
    """The validity of a link."""

    GOOD = "good"
    EXPIRED = "expired"  # signed by us, but its time is over
    FORGED = "forged"  # not signed by us, or changed since


def link_key(secret: str) -> bytes:
    """Return the key for links, 32 bytes, derived from ``secret``."""
    return hmac.digest(secret.encode(), _PURPOSE, "sha256")


def signed_path(key: bytes, file_id: str, expires_s: int) -> str:
    """Return path and query of a link to the file, valid until ``expires_s`` (epoch seconds)."""
    signature = _signature(key, file_id, str(expires_s))
    return f"/v1/files/{quote(file_id, safe='')}/link?expires={expires_s}&signature={signature}"


def validate(keys: Iterable[bytes], file_id: str, expires: str, signature: str, now_ms: int) -> LinkState:
    """Return the validity of a link, given the texts of its query. ``keys``: the current one and those still accepted.

    Takes constant time for a wrong signature. The expiry of a forged link is not reported.
    """
    if not _EXPIRES.fullmatch(expires) or not _SIGNATURE.fullmatch(signature):
        return LinkState.FORGED
    matches = [hmac.compare_digest(_signature(key, file_id, expires), signature) for key in keys]
    if not any(matches):
        return LinkState.FORGED
    return LinkState.GOOD if now_ms < int(expires) * 1000 else LinkState.EXPIRED


def _signature(key: bytes, file_id: str, expires: str) -> str:
    # expires is digits alone, so that the first colon ends it: no two pairs make the same text
    return hmac.new(key, f"{expires}:{file_id}".encode(errors="surrogatepass"), sha256).hexdigest()
