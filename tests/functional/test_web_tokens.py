"""Access tokens: whatever is not one of ours, in its time, is a 401."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from itertools import pairwise
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwt

from domain.errors import NotAuthenticated
from support.api import Api
from web.accounts.tokens import Tokens, key_id_of


def b64(data: bytes) -> str:
    raw = data if isinstance(data, bytes) else orjson.dumps(data)
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(api: Api, secret: str | None = None, header: dict[str, Any] | None = None, **claims: object) -> str:
    """Return a token that would be good but for the changes; a change to ``...`` leaves it out."""
    secret = secret or api.settings.jwt_secret
    good = {"iss": "chat4all", "aud": "chat4all", "sub": "u-1", "exp": api.clock.now_ms // 1000 + 60}
    head = {"alg": "HS256", "typ": "at+jwt", "kid": key_id_of(api.settings.jwt_secret)} | (header or {})
    parts = [b64({k: v for k, v in part.items() if v is not ...}) for part in (head, good | claims)]
    digest = {"HS384": "sha384", "HS512": "sha512"}.get(str(head["alg"]), "sha256")
    return ".".join([*parts, b64(hmac.digest(secret.encode(), ".".join(parts).encode(), digest))])


async def status_of(api: Api, token: str) -> int:
    # a path that asks no store about the caller
    return int((await api.call("GET", "/v1/messages/none", token=token)).status)


async def test_the_forger_of_these_tests_can_make_a_good_one(api: Api) -> None:
    assert await status_of(api, forged(api)) == 404


async def test_a_token_ends(api: Api) -> None:
    token = await api.somebody()
    assert (await api.call("GET", "/v1/users/me", token=token)).status == 200
    api.clock.now_ms += 3_599_000
    assert (await api.call("GET", "/v1/users/me", token=token)).status == 200
    api.clock.now_ms += 1_000
    answer = await api.call("GET", "/v1/users/me", token=token)
    assert answer.status == 401
    assert "expired" in (await answer.json(content_type=None))["detail"]


async def test_a_token_of_a_user_who_is_gone_is_a_401(api: Api) -> None:
    assert (await api.call("GET", "/v1/users/me", token=forged(api))).status == 401


BAD = {
    "another secret": {"secret": "t" * 48},
    "expired": {"exp": 1},
    "no expiry": {"exp": ...},
    "an expiry that is no number": {"exp": "tomorrow"},
    "an expiry that is a text": {"exp": "99999999999"},
    "an endless expiry": {"exp": float("inf")},
    "no subject": {"sub": ...},
    "a subject that is no text": {"sub": 5},
    "a name that is no text": {"name": 5},
    "a session that is no text": {"sid": ["x"]},
    "another issuer": {"iss": "somebody"},
    "no issuer": {"iss": ...},
    "another audience": {"aud": "somebody"},
    "no audience": {"aud": ...},
    "an audience that is no text": {"aud": 5},
    "the kid of another key": {"header": {"kid": key_id_of("t" * 48)}},
    "another key, and its kid": {"secret": "t" * 48, "header": {"kid": key_id_of("t" * 48)}},
    "no kid": {"header": {"kid": ...}},
    "a kid that is a list": {"header": {"kid": ["x"]}},
    "a kid that is a path": {"header": {"kid": "../../dev/null"}},
    "another type": {"header": {"typ": "JWT"}},
    "the type of a refresh token": {"header": {"typ": "rt+jwt"}},
    "no type": {"header": {"typ": ...}},
    "no algorithm": {"header": {"alg": ...}},
    "alg none with a signature": {"header": {"alg": "none"}},
    "alg None with a signature": {"header": {"alg": "NoNe"}},
    "alg HS384 with our secret": {"header": {"alg": "HS384"}},
    "alg HS512 with our secret": {"header": {"alg": "HS512"}},
    "alg RS256 with our secret": {"header": {"alg": "RS256"}},
    "alg dir": {"header": {"alg": "dir", "enc": "A256GCM"}},
    "an algorithm that is a list": {"header": {"alg": ["HS256"]}},
}


@pytest.mark.parametrize("what", BAD)
async def test_a_changed_token_is_refused(api: Api, what: str) -> None:
    assert await status_of(api, forged(api, **BAD[what])) == 401


async def test_an_unsigned_token_is_refused(api: Api) -> None:
    head, claims, signature = forged(api, header={"alg": "none"}).split(".")
    for token in (f"{head}.{claims}.", f"{head}.{claims}", f"{head}.{claims}.{b64(b'x')}"):
        assert await status_of(api, token) == 401
    head, claims, signature = forged(api).split(".")
    for token in (f"{head}.{claims}.", f"{head}..{signature}", f"{head}.{claims}.{signature[:-4]}"):
        assert await status_of(api, token) == 401


async def test_no_part_of_a_token_can_be_changed(api: Api) -> None:
    token = await api.somebody()
    head, claims, signature = token.split(".")
    for at in range(0, len(claims), 7):
        changed = claims[:at] + ("A" if claims[at] != "A" else "B") + claims[at + 1 :]
        assert await status_of(api, f"{head}.{changed}.{signature}") == 401
    for at in range(len(signature) - 1):  # of the last character some bits are padding
        changed = signature[:at] + ("A" if signature[at] != "A" else "B") + signature[at + 1 :]
        assert await status_of(api, f"{head}.{claims}.{changed}") == 401


async def test_a_token_signed_by_somebodys_rsa_key_is_refused(api: Api) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    claims = {"iss": "chat4all", "aud": "chat4all", "sub": "u-1", "exp": api.clock.now_ms // 1000 + 60}
    headers = {"typ": "at+jwt", "kid": key_id_of(api.settings.jwt_secret)}
    for kid in (headers["kid"], key_id_of(public)):
        assert await status_of(api, jwt.encode(claims, pem, "RS256", headers | {"kid": kid})) == 401
        # the confusion itself: a public key as if it were a shared secret
        assert await status_of(api, forged(api, secret=public, header={"kid": kid})) == 401
    embedded = forged(api, secret="t" * 48, header={"jwk": {"kty": "oct", "k": b64(b"t" * 48)}})
    assert await status_of(api, embedded) == 401
    # nor can a public key be set as our secret by mistake: anybody could sign then
    with pytest.raises(Exception, match="asymmetric key"):
        Tokens(public, ttl_seconds=60, clock_ms=api.clock)


async def test_what_is_no_jwt_is_a_401(api: Api) -> None:
    for token in (
        "a.b.c",
        "..",
        "a..c",
        "W1tb" * 450 + ".e30.e30",
        "WzFd.e30.e30",
        "a." + "b" * 4000 + ".c",
        "e30.e30.e30",
    ):
        assert await status_of(api, token) == 401, token


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "Bearer a b", "Bearer \u00e9", "x" * 300])
async def test_a_strange_authorization_header_is_a_401(api: Api, header: str) -> None:
    answer = await api.call("GET", "/v1/users/me", headers={"Authorization": header})
    assert answer.status == 401


async def test_a_refresh_token_is_no_access_token(api: Api) -> None:
    login = await api.login(await api.register())
    answer = await api.call("GET", "/v1/users/me", token=login["refresh_token"])
    assert answer.status == 401


OLD, NEW, NEWER = "o" * 48, "n" * 48, "m" * 48


class Clock:
    now_ms = 1_763_848_800_123

    def __call__(self) -> int:
        return self.now_ms


def tokens(secret: str, previous: str = "") -> Tokens:
    return Tokens(secret, ttl_seconds=60, clock_ms=Clock(), previous_secret=previous)


def test_the_secret_is_changed_in_three_steps_and_every_token_stays_valid() -> None:
    """At any time processes of one step and of the next run side by side."""
    steps = [tokens(OLD), tokens(OLD, NEW), tokens(NEW, OLD), tokens(NEW)]
    for one, next_one in pairwise(steps):
        for issuer in (one, next_one):
            for verifier in (one, next_one):
                caller = verifier.caller_of("Bearer " + issuer.issue("u-1", "maria", "s-1"))
                assert (caller.user_id, caller.username, caller.session_id) == ("u-1", "maria", "s-1")


def test_a_key_that_was_dropped_is_refused_and_two_are_valid_at_once() -> None:
    old, both, new = tokens(OLD), tokens(NEW, OLD), tokens(NEWER, NEW)
    assert both.key_id == key_id_of(NEW) != old.key_id
    assert jwt.get_unverified_header(both.issue("u-1", "maria"))["kid"] == both.key_id
    both.caller_of("Bearer " + old.issue("u-1", "maria"))
    new.caller_of("Bearer " + both.issue("u-1", "maria"))
    with pytest.raises(NotAuthenticated, match="key that is not in use"):
        new.caller_of("Bearer " + old.issue("u-1", "maria"))


def test_a_kid_tells_nothing_of_the_secret_but_which_it_is() -> None:
    assert key_id_of(OLD) == key_id_of(OLD) != key_id_of(NEW)
    assert key_id_of(OLD) not in (OLD, hashlib.sha256(OLD.encode()).hexdigest()[:8])


def test_a_secret_that_is_json_is_still_one_secret() -> None:
    odd = tokens('{"keys": [{"kty": "oct", "k": "dGVzdA"}]}')
    assert odd.caller_of("Bearer " + odd.issue("u-1", "maria")).user_id == "u-1"
