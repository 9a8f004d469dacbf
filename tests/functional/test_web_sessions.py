"""Staying logged in and logging out, over HTTP."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from domain.refresh_tokens import mint, parse
from support.api import Api


async def refresh(api: Api, token: object) -> Any:
    return await api.call("POST", "/auth/refresh", {"refresh_token": token})


async def refreshed(api: Api, token: str) -> dict[str, Any]:
    answer = await refresh(api, token)
    assert answer.status == 200
    return dict(await answer.json())


async def test_a_login_answers_a_refresh_token_that_gives_new_tokens(api: Api) -> None:
    name = await api.register()
    login = await api.login(name)
    api.clock.now_ms += 3_600_000
    assert (await api.call("GET", "/v1/users/me", token=login["access_token"])).status == 401
    answer = await refresh(api, login["refresh_token"])
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    new = await answer.json()
    assert set(new) == set(login)
    assert new["access_token"] == new["token"] != login["token"]
    assert new["refresh_token"] != login["refresh_token"]
    assert (new["token_type"], new["expires_in"], new["user_id"]) == ("Bearer", 3600, login["user_id"])
    me = await (await api.call("GET", "/v1/users/me", token=new["access_token"])).json()
    assert me["username"] == name


async def test_a_session_goes_on_for_as_long_as_it_is_refreshed_in_time(api: Api) -> None:
    token = (await api.login(await api.register()))["refresh_token"]
    for _ in range(5):
        api.clock.now_ms += (api.settings.refresh_ttl_seconds - 1) * 1000
        token = (await refreshed(api, token))["refresh_token"]
    api.clock.now_ms += api.settings.refresh_ttl_seconds * 1000
    answer = await refresh(api, token)
    assert answer.status == 401
    assert "expired" in (await answer.json(content_type=None))["detail"]


async def test_a_used_token_presented_again_ends_the_session_for_both_holders(api: Api) -> None:
    name = await api.register()
    first = (await api.login(name))["refresh_token"]
    elsewhere = (await api.login(name))["refresh_token"]
    second = (await refreshed(api, first))["refresh_token"]
    third = (await refreshed(api, second))["refresh_token"]
    assert (await refresh(api, first)).status == 401
    for token in (first, second, third):
        assert (await refresh(api, token)).status == 401
    assert api.services.sessions.reuses == 1
    # another login is another session
    await refreshed(api, elsewhere)


@pytest.mark.parametrize("at_once", [2, 10])
async def test_of_simultaneous_refreshes_with_one_token_exactly_one_wins_and_its_session_goes_on(
    api: Api, at_once: int
) -> None:
    token = (await api.login(await api.register()))["refresh_token"]
    # everybody has looked before anybody writes
    met = asyncio.Barrier(at_once)
    rotate = api.refresh_tokens.rotate

    async def rotate_together(*args: object) -> bool:
        await met.wait()
        return bool(await rotate(*args))

    api.refresh_tokens.rotate = rotate_together
    answers = await asyncio.gather(*(refresh(api, token) for _ in range(at_once)))
    api.refresh_tokens.rotate = rotate
    assert sorted(answer.status for answer in answers) == [200] + [401] * (at_once - 1)
    winner = next(answer for answer in answers if answer.status == 200)
    await refreshed(api, (await winner.json())["refresh_token"])


async def test_what_is_no_refresh_token_is_a_401_and_ends_nothing(api: Api) -> None:
    login = await api.login(await api.register())
    token = login["refresh_token"]
    strange = [
        "",
        "x",
        token[:-1],
        token + "A",
        "c4r_" + "A" * 64,
        login["access_token"],
        "\u0000",
        "\U0001f600",
        mint(secrets.token_bytes(16), secrets.token_bytes(32)),
        token.upper(),
    ]
    for text in strange:
        assert (await refresh(api, text)).status == 401, text
    await refreshed(api, token)


@pytest.mark.parametrize(
    "body",
    [{}, {"refresh_token": None}, {"refresh_token": 5}, {"refresh_token": ["x"]}, {"refresh_token": "x" * 10_001}],
)
async def test_a_refresh_without_a_token_is_a_400_that_names_the_field(api: Api, body: dict[str, Any]) -> None:
    answer = await api.call("POST", "/auth/refresh", body)
    assert answer.status == 400
    assert [error["field"] for error in (await answer.json(content_type=None))["errors"]] == ["refresh_token"]


async def test_the_store_holds_no_token_only_hashes(api: Api) -> None:
    token = (await api.login(await api.register()))["refresh_token"]
    presented = parse(token)
    assert presented is not None
    held = await api.refresh_tokens.find(presented.session_id)
    assert token not in repr(held) + repr(presented)
    assert held.token_hash == presented.token_hash
    assert presented.seed.hex() not in repr(presented)


async def test_logout_ends_the_session_of_the_refresh_token(api: Api) -> None:
    name = await api.register()
    login, elsewhere = await api.login(name), await api.login(name)
    new = await refreshed(api, login["refresh_token"])
    answer = await api.call("POST", "/auth/logout", {"refresh_token": new["refresh_token"]}, new["access_token"])
    assert answer.status == 204
    assert "Content-Type" not in answer.headers
    for token in (login["refresh_token"], new["refresh_token"]):
        assert (await refresh(api, token)).status == 401
    # twice is as good as once
    again = await api.call("POST", "/auth/logout", {"refresh_token": new["refresh_token"]}, new["access_token"])
    assert again.status == 204
    await refreshed(api, elsewhere["refresh_token"])


@pytest.mark.parametrize("body", [None, {}, {"refresh_token": None}])
async def test_logout_without_a_refresh_token_ends_the_session_of_the_access_token(api: Api, body: object) -> None:
    name = await api.register()
    login, elsewhere = await api.login(name), await api.login(name)
    assert (await api.call("POST", "/auth/logout", body, login["access_token"])).status == 204
    assert (await refresh(api, login["refresh_token"])).status == 401
    await refreshed(api, elsewhere["refresh_token"])


async def test_nobody_ends_the_session_of_somebody_else(api: Api) -> None:
    maria, mallory = await api.login(await api.register()), await api.login(await api.register())
    answer = await api.call("POST", "/auth/logout", {"refresh_token": maria["refresh_token"]}, mallory["access_token"])
    assert answer.status == 403
    await refreshed(api, maria["refresh_token"])


async def test_logout_needs_a_token_and_takes_any_text_for_a_refresh_token(api: Api) -> None:
    login = await api.login(await api.register())
    assert (await api.call("POST", "/auth/logout", {"refresh_token": login["refresh_token"]})).status == 401
    for text in ("", "x", login["access_token"]):
        assert (await api.call("POST", "/auth/logout", {"refresh_token": text}, login["access_token"])).status == 204
    await refreshed(api, login["refresh_token"])


async def test_an_outage_costs_nobody_the_session(api: Api) -> None:
    name = await api.register()
    login = await api.login(name)
    api.refresh_tokens.available = False
    assert (await refresh(api, login["refresh_token"])).status == 503
    logout = await api.call("POST", "/auth/logout", {"refresh_token": login["refresh_token"]}, login["access_token"])
    assert logout.status == 503
    body = {"username": name, "password": "correct horse battery"}
    assert (await api.call("POST", "/auth/login", body)).status == 503
    api.refresh_tokens.available = True
    api.users.available = False
    assert (await refresh(api, login["refresh_token"])).status == 503
    api.users.available = True
    await refreshed(api, login["refresh_token"])


async def test_a_user_who_is_gone_cannot_refresh(api: Api) -> None:
    login = await api.login(await api.register())
    api.users.users.clear()
    assert (await refresh(api, login["refresh_token"])).status == 401
