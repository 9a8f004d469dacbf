"""Access tokens: JWT (RFC 7519, RFC 9068), HS256 only, with a key id. Verified tokens are cached.

    header   {"alg":"HS256","typ":"at+jwt","kid":"5f0c1a2b"}
    claims   {"iss":"chat4all","aud":"chat4all","sub":"<user id>","name":"maria","sid":"<session id>","iat":…,"exp":…}

To change the secret while every token stays valid: make the new one CHAT4ALL_JWT_PREVIOUS_SECRET in all API processes
(they accept it), then swap the two (they sign with it), and after a token's lifetime drop the old one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache

from aiohttp import web
from jose import jwk, jwt
from jose.exceptions import JOSEError

from domain.errors import NotAuthenticated
from web.http.caller import Caller

ALGORITHM = "HS256"
ISSUER = "chat4all"
AUDIENCE = "chat4all"
TOKEN_TYPE = "at+jwt"
MAX_TOKEN_CHARS = 2_048
REMEMBERED_TOKENS = 50_000

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class Tokens:
    """Issues access tokens with ``secret`` and verifies those of it and of ``previous_secret`` (empty: none).

    ``clock_ms``: epoch milliseconds.
    """

    def __init__(
        self, secret: str, *, ttl_seconds: int, clock_ms: Callable[[], int], previous_secret: str = ""
    ) -> None:
        self.ttl_seconds = ttl_seconds
        self._clock_ms = clock_ms
        self.key_id = key_id_of(secret)
        # build the keys here: jose would read a JSON text as a set of keys, and refuses a text like a public key
        self._keys = {key_id_of(text): jwk.construct(text, ALGORITHM) for text in (previous_secret, secret) if text}
        # the signature of a token cannot change, so only its expiry is looked at again; errors are not remembered
        self._verified = lru_cache(maxsize=REMEMBERED_TOKENS)(self._verify)

    def issue(self, user_id: str, username: str, session_id: str = "") -> str:
        """Return a token of ``ttl_seconds`` for the user."""
        now_s = self._clock_ms() // 1000
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "name": username,
            "sid": session_id,
            "iat": now_s,
            "exp": now_s + self.ttl_seconds,
        }
        headers = {"typ": TOKEN_TYPE, "kid": self.key_id}
        return str(jwt.encode(claims, self._keys[self.key_id], algorithm=ALGORITHM, headers=headers))

    def caller_of(self, authorization: str | None) -> Caller:
        """Return the caller in the ``Authorization`` header. Raises ``NotAuthenticated``."""
        if not authorization:
            raise NotAuthenticated("this needs a token: send Authorization: Bearer <access_token>")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":  # RFC 9110, section 11.1: in any case, before one space or more
            raise NotAuthenticated("the Authorization header must be: Bearer <access_token>")
        caller = self._verified(token.lstrip(" "))
        if caller.expires_at_s * 1000 <= self._clock_ms():
            raise NotAuthenticated("the token has expired; log in again")
        return caller

    def _verify(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN_CHARS or not _COMPACT.fullmatch(token):
            raise NotAuthenticated("the token is not a JWT")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(_text(header.get("kid")))
            if key is None:
                raise NotAuthenticated("the token was signed with a key that is not in use")
            if _text(header.get("typ")).lower() != TOKEN_TYPE:
                raise NotAuthenticated("this is not an access token")
            claims = jwt.decode(token, key, [ALGORITHM], options=_OPTIONS, audience=AUDIENCE, issuer=ISSUER)
            return Caller(
                _text(claims["sub"]), _text(claims.get("name", "")), _whole(claims["exp"]), _text(claims.get("sid", ""))
            )
        # jose passes on any error of its JSON parser and its key code
        except (JOSEError, ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
            raise NotAuthenticated("the token is not valid") from None


# the expiry is checked on every use, against our own clock (jose's require_exp would switch its own check on again)
_OPTIONS = {"verify_exp": False, "require_aud": True, "require_iss": True}


def key_id_of(secret: str) -> str:
    """Return the ``kid`` of a secret: eight hex digits of a hash. They identify the key and reveal nothing about it."""
    return hashlib.sha256(b"chat4all kid " + secret.encode()).hexdigest()[:8]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("expected a whole number")
    return value


TOKENS = web.AppKey("tokens", Tokens)
