"""`chat4all admin` over fakes, and the sentences for what can go wrong."""

from __future__ import annotations

import pytest

from cli.admin import grant_role, revoke_role
from domain.errors import NotFound
from support.api import Api


async def test_a_user_becomes_an_admin_by_name_in_any_case_and_stays_one(api: Api) -> None:
    await api.register("maria")
    made = await grant_role(api.users, api.admins, "MARIA", "root")
    assert (made.username, made.granted_by) == ("maria", "root")
    assert (await grant_role(api.users, api.admins, "maria", "another")).user_id == made.user_id
    assert await api.admins.admins() == [made]
    assert await revoke_role(api.users, api.admins, "maria") == (made.user_id, True)
    assert await revoke_role(api.users, api.admins, "maria") == (made.user_id, False)


async def test_an_unknown_user_is_a_sentence(api: Api) -> None:
    with pytest.raises(NotFound, match="chat4all register nobody"):
        await grant_role(api.users, api.admins, "nobody", "root")
    with pytest.raises(NotFound, match="no user nobody"):
        await revoke_role(api.users, api.admins, "nobody")
