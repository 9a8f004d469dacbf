"""UserStore, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from domain.errors import AlreadyExists, NotFound, StoreUnavailable
from domain.ports import User
from support.waiting import decided

pytestmark = pytest.mark.asyncio(loop_scope="module")


def user(username: str | None = None, email: str | None = "maria@example.org") -> User:
    return User(
        str(uuid.uuid4()), username or f"Maria_{uuid.uuid4().hex[:12]}", "$argon2id$v=19$m=1", email, 1_767_225_600_123
    )


@pytest.mark.parametrize("email", [None, "maria@example.org"])
async def test_an_account_is_found_by_id_and_by_name_whatever_its_case(stores, email):
    maria = user(email=email)
    await stores.users.create(maria)
    assert await stores.users.by_id(maria.user_id) == maria
    for spelling in (maria.username, maria.username.lower(), maria.username.upper()):
        assert await stores.users.by_username(spelling) == maria


@pytest.mark.parametrize("unknown", ["nobody", "", "'; DROP TABLE users; --", "\ud800", "x" * 70_000])
async def test_an_unknown_account_is_not_found(stores, unknown):
    assert await stores.users.by_id(unknown) is None
    assert await stores.users.by_username(unknown) is None
    with pytest.raises(NotFound):
        await stores.users.set_password_hash(unknown, "$argon2id$new")
    assert await stores.users.by_id(unknown) is None


async def test_a_name_is_taken_in_any_case_and_keeps_its_owner(stores):
    first = user()
    await stores.users.create(first)
    second = user(first.username.swapcase())
    with pytest.raises(AlreadyExists):
        await stores.users.create(second)
    assert await stores.users.by_username(second.username) == first
    assert await stores.users.by_id(second.user_id) is None


async def test_of_twenty_who_want_a_name_at_once_exactly_one_gets_it(stores):
    rivals = [user("Rival_" + uuid.uuid4().hex[:8])]
    rivals += [user(rivals[0].username) for _ in range(19)]

    async def try_to_create(rival: User) -> bool:
        try:
            await decided(lambda: stores.users.create(rival))
        except AlreadyExists:
            return False
        return True

    won = await asyncio.gather(*map(try_to_create, rivals))
    assert sum(won) == 1
    assert await stores.users.by_username(rivals[0].username) == rivals[won.index(True)]


async def test_a_password_hash_can_be_replaced_and_nothing_else_changes(stores):
    maria = user()
    await stores.users.create(maria)
    await stores.users.set_password_hash(maria.user_id, "$argon2id$new")
    found = await stores.users.by_username(maria.username)
    assert found == User(maria.user_id, maria.username, "$argon2id$new", maria.email, maria.created_at_ms)


async def test_names_are_told_for_many_at_once_and_of_nobody_for_who_is_not_there(stores):
    people = [user() for _ in range(120)]
    await asyncio.gather(*map(stores.users.create, people))
    asked = [*(one.user_id for one in people), str(uuid.uuid4()), "", "\ud800", "x" * 70_000]
    assert await stores.users.usernames(asked) == {one.user_id: one.username for one in people}
    assert await stores.users.usernames([]) == {}


async def test_an_outage_is_told_quickly(stores):
    maria = user()
    await stores.users.create(maria)
    await stores.off()
    try:
        for call in (lambda: stores.users.by_username(maria.username), lambda: stores.users.create(user())):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await call()
            assert time.monotonic() - began < 3
    finally:
        await stores.on()
