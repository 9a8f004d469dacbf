"""Access tokens: JWT (RFC 7519), HS256 only, with a key id. What was verified once is remembered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from jose import jwt
from jose.exceptions import JOSEError

from domain.errors import NotAuthenticated

ALGORITHM = "HS256"
ISSUER = "chat4all"
MAX_TOKEN_CHARS = 2_048
REMEMBERED_TOKENS = 50_000

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class Caller(NamedTuple):
    """Who is asking. ``expires_at_s``: when the token ends, in epoch seconds."""

    user_id: str
    username: str
    expires_at_s: int


class Tokens:
    """Issues and verifies the access tokens of one secret. ``clock_ms``: epoch milliseconds."""

    def __init__(self, secret: str, *, ttl_seconds: int, clock_ms: Callable[[], int]) -> None:
        self.ttl_seconds = ttl_seconds
        self._secret = secret
        self._clock_ms = clock_ms
        self.key_id = hashlib.sha256(b"chat4all kid " + secret.encode()).hexdigest()[:8]
        # the signature of a token cannot change, so only its expiry is looked at again; errors are not remembered
        self._verified = lru_cache(maxsize=REMEMBERED_TOKENS)(self._verify)

    def issue(self, user_id: str, username: str) -> str:
        """Return a token of ``ttl_seconds`` for the user."""
        now_s = self._clock_ms() // 1000
        claims = {"iss": ISSUER, "sub": user_id, "name": username, "iat": now_s, "exp": now_s + self.ttl_seconds}
        return str(jwt.encode(claims, self._secret, algorithm=ALGORITHM, headers={"kid": self.key_id}))

    def caller_of(self, authorization: str | None) -> Caller:
        """Return who the ``Authorization`` header names. Raises ``NotAuthenticated``."""
        if not authorization:
            raise NotAuthenticated("this needs a token: send Authorization: Bearer <access_token>")
        if authorization[:7] not in ("Bearer ", "bearer "):
            raise NotAuthenticated("the Authorization header must be: Bearer <access_token>")
        caller = self._verified(authorization[7:])
        if caller.expires_at_s * 1000 <= self._clock_ms():
            raise NotAuthenticated("the token has expired; log in again")
        return caller

    def _verify(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN_CHARS or not _COMPACT.fullmatch(token):
            raise NotAuthenticated("the token is not a JWT")
        try:
            if jwt.get_unverified_header(token).get("kid", self.key_id) != self.key_id:
                raise NotAuthenticated("the token was signed with a key that is not in use")
            claims = jwt.decode(token, self._secret, algorithms=[ALGORITHM], issuer=ISSUER, options=_OPTIONS)
            return Caller(_text(claims["sub"]), _text(claims.get("name", "")), int(claims["exp"]))
        # jose lets whatever its JSON parser and its key code raise through
        except (JOSEError, ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
            raise NotAuthenticated("the token is not valid") from None


# the expiry is checked on every use, against our own clock (jose's require_exp would switch its own check on again)
_OPTIONS = {"verify_exp": False, "verify_aud": False}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected text")
    return value
