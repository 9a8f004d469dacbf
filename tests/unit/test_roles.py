"""The role admin: a yes is cached for seconds, a no never."""

from __future__ import annotations

import pytest

from domain.errors import NotAllowed, StoreUnavailable
from domain.ports import Admin
from fakes.identities import MemoryAdmins
from web.accounts.roles import ADMIN_SECONDS, Roles
from web.http.caller import Caller

MARIA = Caller("u-1", "maria", 2_000_000_000)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_refusal_says_how_to_become_one_and_the_grant_counts_at_once() -> None:
    store = MemoryAdmins()
    roles = Roles(store, Seconds())
    with pytest.raises(NotAllowed, match="chat4all admin grant"):
        await roles.require_admin(MARIA)
    await store.grant(Admin("u-1", "maria", 0, "root"))
    await roles.require_admin(MARIA)
    await roles.require_admin(MARIA)
    assert store.asked == 2


async def test_a_revoked_admin_loses_the_role_within_the_bound() -> None:
    store, clock = MemoryAdmins(), Seconds()
    roles = Roles(store, clock)
    await store.grant(Admin("u-1", "maria", 0, "root"))
    await roles.require_admin(MARIA)
    await store.revoke("u-1")
    clock.now = ADMIN_SECONDS
    with pytest.raises(NotAllowed):
        await roles.require_admin(MARIA)


async def test_without_the_store_the_role_ends_with_its_time_too() -> None:
    store, clock = MemoryAdmins(), Seconds()
    roles = Roles(store, clock)
    await store.grant(Admin("u-1", "maria", 0, "root"))
    await roles.require_admin(MARIA)
    store.available = False
    await roles.require_admin(MARIA)
    clock.now = ADMIN_SECONDS
    with pytest.raises(StoreUnavailable):
        await roles.require_admin(MARIA)
