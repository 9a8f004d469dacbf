"""Accounts and tokens over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher
from jose import jwt

from support.api import Api

PASSWORD = "correct horse battery"


@pytest.mark.parametrize("path", ["/users", "/auth/register"])
async def test_an_account_is_created_and_says_who_it_is(api: Api, path: str) -> None:
    body = {"username": "Maria_1", "password": PASSWORD, "email": "maria@example.org"}
    answer = await api.call("POST", path, body)
    assert answer.status == 201
    created = await answer.json()
    assert created == {
        "user_id": created["user_id"],
        "username": "Maria_1",
        "email": "maria@example.org",
        "created_at": "2025-11-22T22:00:00.123Z",
    }
    token = (await api.login("Maria_1"))["access_token"]
    assert await (await api.call("GET", "/v1/users/me", token=token)).json() == {**created, "roles": []}
    assert (await (await api.call("GET", "/v1/users/me", token=await api.admin())).json())["roles"] == ["admin"]


async def test_a_password_is_stored_as_argon2id_and_never_shown(api: Api) -> None:
    await api.register("maria")
    user = await api.users.by_username("maria")
    assert user.password_hash.startswith("$argon2id$")


async def test_a_username_is_taken_whatever_its_case(api: Api) -> None:
    await api.register("maria")
    answer = await api.call("POST", "/users", {"username": "MARIA", "password": PASSWORD})
    assert answer.status == 409


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        ({"username": "ab", "password": "short"}, {"username", "password"}),
        ({"username": "a" * 51, "password": PASSWORD, "email": "nobody"}, {"username", "email"}),
        ({"username": "maria\n", "password": PASSWORD}, {"username"}),
        ({"username": "maría", "password": PASSWORD}, {"username"}),
        ({"username": 12345, "password": 12345678}, {"username", "password"}),
        ({"username": None, "password": None}, {"username", "password"}),
        ({"username": "maria", "password": "Password123"}, {"password"}),
        ({"username": "maria_silva", "password": "maria_silva"}, {"password"}),
        ({"username": "maria_silva", "password": "Maria_Silva12"}, {"password"}),
        ({"username": "maria", "password": "x" * 1025}, {"password"}),
        ({"username": "maria", "password": PASSWORD, "email": "a@b\u0000c.d"}, {"email"}),
        ({"username": "maria", "password": PASSWORD, "email": ["a@b.c"]}, {"email"}),
    ],
)
async def test_a_bad_registration_names_every_invalid_field(api: Api, body: dict[str, Any], fields: set[str]) -> None:
    answer = await api.call("POST", "/users", body)
    assert answer.status == 400
    problem = await answer.json(content_type=None)
    assert {error["field"] for error in problem["errors"]} == fields
    assert all(error["detail"] for error in problem["errors"])


async def test_a_password_may_hold_any_unicode_and_looks_the_same_from_any_keyboard(api: Api) -> None:
    await api.register("maria", "se\u00f1ora\u0000 \U0001f600 a")
    await api.login("maria", "sen\u0303ora\u0000 \U0001f600 a")


@pytest.mark.parametrize("path", ["/auth/login", "/auth/token"])
async def test_a_login_returns_a_token_under_both_names(api: Api, path: str) -> None:
    await api.register("maria")
    answer = await api.call("POST", path, {"username": "maria", "password": PASSWORD})
    assert answer.status == 200
    login = await answer.json()
    assert login["access_token"] == login["token"]
    assert (login["token_type"], login["expires_in"]) == ("Bearer", 3600)
    header = jwt.get_unverified_header(login["token"])
    assert header["alg"] == "HS256"
    assert header["kid"]
    assert jwt.get_unverified_claims(login["token"])["sub"] == login["user_id"]


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(api: Api) -> None:
    await api.register("maria")
    wrong = await api.call("POST", "/auth/login", {"username": "maria", "password": "wrong password"})
    unknown = await api.call("POST", "/auth/login", {"username": "nobody", "password": PASSWORD})
    assert wrong.status == unknown.status == 401
    one, other = await wrong.json(content_type=None), await unknown.json(content_type=None)
    for problem in (one, other):
        problem.pop("request_id")
    assert one == other


@pytest.mark.parametrize("username", ["", "\u0000", "a" * 9999, "ma'ria;--", "\U0001f600", "MARIA "])
async def test_a_name_that_nobody_can_have_is_just_a_wrong_login(api: Api, username: str) -> None:
    await api.register("maria")
    answer = await api.call("POST", "/auth/login", {"username": username, "password": PASSWORD})
    assert answer.status == 401


async def test_an_old_hash_is_renewed_at_login(api: Api) -> None:
    await api.register("maria")
    user = await api.users.by_username("maria")
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    await api.users.set_password_hash(user.user_id, old)
    await api.login("maria")
    renewed = (await api.users.by_username("maria")).password_hash
    assert renewed != old
    await api.login("maria")
    assert (await api.users.by_username("maria")).password_hash == renewed


async def test_no_store_means_503_for_accounts(api: Api) -> None:
    token = await api.somebody()
    api.users.available = False
    body = {"username": "maria", "password": PASSWORD}
    for method, path, json in (("POST", "/users", body), ("POST", "/auth/login", body), ("GET", "/v1/users/me", None)):
        assert (await api.call(method, path, json, token)).status == 503


async def test_too_many_logins_at_once_are_told_to_come_back(api: Api) -> None:
    api.services.passwords.waiting = 1_000
    answer = await api.call("POST", "/auth/login", {"username": "maria", "password": PASSWORD})
    assert answer.status == 503
