"""Logging in with a wrong password, over HTTP: slow for who guesses, and telling nothing."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

import pytest
from argon2 import PasswordHasher

from domain.errors import StoreUnavailable
from support.api import Api
from support.waiting import until
from web.accounts.passwords import Passwords

PASSWORD = "correct horse battery"


async def login(api: Api, username: str, password: str = PASSWORD) -> Any:
    return await api.call("POST", "/auth/login", {"username": username, "password": password})


@pytest.mark.parametrize("exists", [True, False])
async def test_guesses_at_a_username_are_slowed_down_whether_it_exists_or_not(api: Api, exists: bool) -> None:
    if exists:
        await api.register("maria")
    free = api.settings.login_failures_per_account
    assert [(await login(api, "maria", f"wrong {n}")).status for n in range(free)] == [401] * free
    refused = await login(api, "Maria")
    assert refused.status == 429
    assert {name: refused.headers[name] for name in ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining")} == {
        "Retry-After": "1",
        "RateLimit-Limit": str(free),
        "RateLimit-Remaining": "0",
    }
    problem = await refused.json(content_type=None)
    assert problem["type"] == "urn:chat4all:problem:rate-limited"
    assert problem["detail"] == "too many wrong passwords for this username; try again in 1 s"
    api.clock.now_ms += 1_000
    assert (await login(api, "maria", "wrong")).status == 401
    assert (await login(api, "maria")).headers["Retry-After"] == "2"
    api.clock.now_ms += 2_000
    assert (await login(api, "maria")).status == (200 if exists else 401)


async def test_a_right_password_clears_the_failures(api: Api) -> None:
    await api.register("maria")
    for _ in range(3):
        for _ in range(api.settings.login_failures_per_account - 1):
            assert (await login(api, "maria", "wrong")).status == 401
        assert (await login(api, "maria")).status == 200


async def test_an_address_that_tries_many_usernames_is_slowed_down(api: Api) -> None:
    await api.register("maria")
    statuses = [(await login(api, f"user_{n}")).status for n in range(api.settings.login_failures_per_address + 1)]
    assert statuses == [401] * api.settings.login_failures_per_address + [429]
    assert (await login(api, "maria")).status == 429
    # nobody is believed about where they are unless a proxy is trusted
    body = {"username": "maria", "password": PASSWORD}
    elsewhere = await api.call("POST", "/auth/login", body, headers={"X-Forwarded-For": "203.0.113.9"})
    assert elsewhere.status == 429
    api.clock.now_ms += int(elsewhere.headers["Retry-After"]) * 1000
    assert (await login(api, "maria")).status == 200


async def test_an_outage_is_not_held_against_anybody(api: Api) -> None:
    await api.register("maria")
    api.users.available = False
    for _ in range(api.settings.login_failures_per_account + 5):
        assert (await login(api, "maria")).status == 503
    api.users.available = True
    assert (await login(api, "maria")).status == 200


async def test_logins_of_one_user_during_an_outage_do_not_wait_for_each_other(api: Api) -> None:
    asked, gives_up = 0, asyncio.Event()

    async def stalled(username: str) -> None:
        nonlocal asked
        asked += 1
        await gives_up.wait()
        raise StoreUnavailable("it stalls")

    api.users.by_username = stalled
    async with asyncio.TaskGroup() as group:
        logins = [group.create_task(login(api, "maria")) for _ in range(20)]
        await until(lambda: asked == len(logins))
        gives_up.set()
    assert {each.result().status for each in logins} == {503}


async def test_a_body_that_is_no_login_is_not_held_against_anybody(api: Api) -> None:
    await api.register("maria")
    for _ in range(api.settings.login_failures_per_account + 5):
        assert (await api.call("POST", "/auth/login", {"username": "maria"})).status == 400
    assert (await login(api, "maria")).status == 200


async def test_an_unknown_user_and_a_wrong_password_take_the_same_time(api: Api) -> None:
    # a hash that takes some 20 ms: what else differs would have to show beside it
    hasher = PasswordHasher(time_cost=2, memory_cost=8 * 1024, parallelism=1)
    api.services.passwords = api.services.accounts._passwords = Passwords(hasher, at_once=1)
    names = [await api.register() for _ in range(25)]
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}
    for n, name in enumerate(names):
        for kind, username in (("known", name), ("unknown", f"nobody_{n}")):
            began = time.perf_counter()
            assert (await login(api, username, "wrong password")).status == 401
            seconds[kind].append(time.perf_counter() - began)
    known, unknown = median(seconds["known"]), median(seconds["unknown"])
    assert abs(known - unknown) < 0.25 * max(known, unknown), (known, unknown)
