"""Users, as admins see them."""

from __future__ import annotations

import pytest

from support.api import Api

HANDLE = {"platform": "telegram", "value": "@maria"}


@pytest.mark.parametrize("by", ["username", "user_id"])
async def test_an_admin_sees_a_user_by_id_or_name_with_roles_and_identities(api: Api, by: str) -> None:
    body = {"username": "Maria", "password": "correct horse battery", "email": "maria@example.org"}
    made = await (await api.call("POST", "/users", body)).json()
    session = await api.login("Maria")
    await api.call("POST", "/v1/users/identities", HANDLE, session["token"])
    answer = await api.call("GET", f"/v1/admin/users/{made[by]}", token=await api.admin())
    assert answer.status == 200
    found = await answer.json()
    assert found == {**made, "roles": [], "identities": found["identities"]}
    assert [(one["platform"], one["value"]) for one in found["identities"]] == [("telegram", "@maria")]
    assert "password" not in await answer.text()


async def test_the_role_of_an_admin_is_shown(api: Api) -> None:
    token = await api.admin()
    me = await (await api.call("GET", "/v1/users/me", token=token)).json()
    found = await (await api.call("GET", f"/v1/admin/users/{me['user_id']}", token=token)).json()
    assert found["roles"] == me["roles"] == ["admin"]


@pytest.mark.parametrize("name", ["nobody", "%00", "x" * 300, "..%2f"])
async def test_nobody_of_that_name_is_a_404(api: Api, name: str) -> None:
    assert (await api.call("GET", f"/v1/admin/users/{name}", token=await api.admin())).status in (400, 404)


async def test_it_is_for_admins(api: Api) -> None:
    assert (await api.call("GET", "/v1/admin/users/maria", token=await api.somebody())).status == 403
