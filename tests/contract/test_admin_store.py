"""AdminStore, on the fake and on Cassandra."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from domain.errors import StoreUnavailable
from domain.ports import Admin
from tests.contract.conftest import Stores

pytestmark = pytest.mark.asyncio(loop_scope="module")


def admin(username: str = "") -> Admin:
    return Admin(str(uuid.uuid4()), username or f"u_{uuid.uuid4().hex[:12]}", 1_767_225_600_123, "root")


async def test_a_role_is_granted_listed_and_revoked(stores: Stores) -> None:
    maria, ana = admin("z_maria"), admin("a_ana")
    for one in (maria, ana):
        assert not await stores.admins.is_admin(one.user_id)
        await stores.admins.grant(one)
        assert await stores.admins.is_admin(one.user_id)
    assert [one for one in await stores.admins.admins() if one in (maria, ana)] == [ana, maria]
    assert await stores.admins.revoke(maria.user_id)
    assert not await stores.admins.is_admin(maria.user_id)
    assert maria not in await stores.admins.admins()


async def test_a_second_grant_keeps_the_first_and_a_second_revocation_does_nothing(stores: Stores) -> None:
    maria = admin()
    await stores.admins.grant(maria)
    await stores.admins.grant(replace(maria, granted_at_ms=maria.granted_at_ms + 1, granted_by="another"))
    assert maria in await stores.admins.admins()
    assert await stores.admins.revoke(maria.user_id)
    assert not await stores.admins.revoke(maria.user_id)


@pytest.mark.parametrize("unknown", ["nobody", "", "\ud800", "x" * 70_000])
async def test_nobody_unknown_is_an_admin(stores: Stores, unknown: str) -> None:
    assert not await stores.admins.is_admin(unknown)
    assert not await stores.admins.revoke(unknown)


async def test_an_outage_is_an_error_and_never_a_yes(stores: Stores) -> None:
    maria = admin()
    await stores.admins.grant(maria)
    await stores.off()
    try:
        with pytest.raises(StoreUnavailable):
            await stores.admins.is_admin(maria.user_id)
    finally:
        await stores.on()
