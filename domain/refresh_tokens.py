"""Refresh tokens: one random text for each step of a session. Only hashes are stored.

    c4r_Jq0…(64 characters of base64url: 16 bytes that name the session, 32 secret bytes of this step)

A session is the family of tokens from one login. Using its current token makes the next one current. A used token is
never accepted again, and its second use shows that it was copied.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from hmac import compare_digest

from domain.ports import RefreshToken

SESSION_BYTES = 16
STEP_BYTES = 32
_PREFIX = "c4r_"
_SHAPE = re.compile(_PREFIX + r"[A-Za-z0-9_-]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as presented: two hashes of it (hex), and the ``seed`` shared by all of its session."""

    session_id: str
    token_hash: str
    seed: bytes = field(repr=False)


class TokenState(StrEnum):
    CURRENT = "current"
    UNKNOWN = "unknown"  # no such session, or it has ended
    EXPIRED = "expired"
    REUSED = "reused"  # the session's, but not its current token


def mint(seed: bytes, step: bytes) -> str:
    """Return the token of a session (``seed``: 16 random bytes) for one step (32 random bytes)."""
    if len(seed) != SESSION_BYTES or len(step) != STEP_BYTES:
        raise ValueError(f"expected {SESSION_BYTES} and {STEP_BYTES} bytes")
    return _PREFIX + urlsafe_b64encode(seed + step).decode()


def parse(text: str) -> Presented | None:
    """Return the parts of ``text``, or ``None`` if it cannot be a refresh token (an access token never is)."""
    if not _SHAPE.fullmatch(text):
        return None
    raw = urlsafe_b64decode(text.removeprefix(_PREFIX))
    seed = raw[:SESSION_BYTES]
    # 128 bits of a hash over 128 random bits: neither can be guessed, nor the token be found from them
    return Presented(hashlib.sha256(seed).hexdigest()[:32], hashlib.sha256(raw).hexdigest(), seed)


def validate(known: RefreshToken | None, presented: Presented, now_ms: int) -> TokenState:
    """Return the state of ``presented`` at ``now_ms`` (epoch ms), given the stored state ``known`` of the session."""
    if known is None:
        return TokenState.UNKNOWN
    if known.expires_at_ms <= now_ms:
        return TokenState.EXPIRED
    return TokenState.CURRENT if compare_digest(known.token_hash, presented.token_hash) else TokenState.REUSED
