"""IdentityStore, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import random
import time
import uuid

import pytest

from domain.errors import AlreadyExists, NotFound, StoreUnavailable
from domain.ports import Identity

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW_MS = 1_767_225_600_123


def somebody() -> str:
    return str(uuid.uuid4())


def phone() -> str:
    return f"+55119{random.randrange(10**8):08d}"


def identity(user_id: str | None = None, platform: str = "whatsapp", value: str | None = None) -> Identity:
    return Identity(user_id or somebody(), platform, value or phone(), False, NOW_MS)


async def test_a_linked_identity_is_found_from_both_sides(stores):
    one = identity()
    assert await stores.identities.link(one) == one
    assert await stores.identities.owner(one.platform, one.value) == one.user_id
    assert list(await stores.identities.of_user(one.user_id)) == [one]


async def test_a_user_has_any_number_of_identities_listed_by_platform_and_value(stores):
    maria, name = somebody(), f"@m{uuid.uuid4().hex[:12]}"
    linked = [identity(maria), identity(maria, "telegram", name), identity(maria, "instagram", name), identity(maria)]
    for one in linked:
        await stores.identities.link(one)
    await stores.identities.link(identity())
    listed = list(await stores.identities.of_user(maria))
    assert listed == sorted(linked, key=lambda one: (one.platform, one.value))


async def test_linking_again_changes_nothing(stores):
    one = identity()
    await stores.identities.link(one)
    again = Identity(one.user_id, one.platform, one.value, True, NOW_MS + 5)
    assert await stores.identities.link(again) == one
    assert list(await stores.identities.of_user(one.user_id)) == [one]


async def test_another_users_identity_is_refused_and_stays_theirs(stores):
    one = identity()
    await stores.identities.link(one)
    mallory = identity(value=one.value)
    with pytest.raises(AlreadyExists):
        await stores.identities.link(mallory)
    with pytest.raises(NotFound):
        await stores.identities.unlink(mallory.user_id, one.platform, one.value)
    assert await stores.identities.owner(one.platform, one.value) == one.user_id
    assert list(await stores.identities.of_user(mallory.user_id)) == []


async def test_the_same_name_on_two_platforms_may_belong_to_two_people(stores):
    name = f"@m{uuid.uuid4().hex[:12]}"
    one, other = identity(platform="instagram", value=name), identity(platform="telegram", value=name)
    await stores.identities.link(one)
    await stores.identities.link(other)
    assert await stores.identities.owner("instagram", name) == one.user_id
    assert await stores.identities.owner("telegram", name) == other.user_id


async def test_an_unlinked_identity_is_free_for_anybody(stores):
    one = identity()
    kept = identity(one.user_id)
    await stores.identities.link(one)
    await stores.identities.link(kept)
    await stores.identities.unlink(one.user_id, one.platform, one.value)
    assert await stores.identities.owner(one.platform, one.value) is None
    assert list(await stores.identities.of_user(one.user_id)) == [kept]
    with pytest.raises(NotFound):
        await stores.identities.unlink(one.user_id, one.platform, one.value)
    other = identity(value=one.value)
    assert await stores.identities.link(other) == other
    assert list(await stores.identities.of_user(one.user_id)) == [kept]


async def test_it_may_be_linked_and_unlinked_over_and_over(stores):
    one = identity()
    for _ in range(4):
        assert await stores.identities.link(one) == one
        assert list(await stores.identities.of_user(one.user_id)) == [one]
        await stores.identities.unlink(one.user_id, one.platform, one.value)
        assert list(await stores.identities.of_user(one.user_id)) == []


async def test_of_many_who_link_an_address_at_once_exactly_one_gets_it(stores):
    address = phone()
    rivals = [identity(value=address) for _ in range(12)]

    async def try_to_link(rival: Identity) -> bool:
        # contention may make Cassandra give up on a transaction; its caller then asks again
        for _ in range(20):
            try:
                return (await stores.identities.link(rival)) == rival
            except AlreadyExists:
                return False
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        raise AssertionError("never decided")

    won = await asyncio.gather(*map(try_to_link, rivals))
    assert sum(won) == 1
    winner = rivals[won.index(True)]
    assert await stores.identities.owner("whatsapp", address) == winner.user_id
    listed = [one for rival in rivals for one in await stores.identities.of_user(rival.user_id)]
    assert listed == [winner]


@pytest.mark.parametrize("odd", ["", "\ud800", "'; DROP TABLE identities; --", "x" * 70_000])
async def test_what_nobody_can_have_is_not_found(stores, odd):
    assert await stores.identities.owner("whatsapp", odd) is None
    assert list(await stores.identities.of_user(odd)) == []
    with pytest.raises(NotFound):
        await stores.identities.unlink(somebody(), "whatsapp", odd)
    with pytest.raises(NotFound):
        await stores.identities.unlink(odd, "whatsapp", phone())


async def test_an_outage_is_told_quickly(stores):
    one = identity()
    await stores.identities.link(one)
    await stores.off()
    try:
        for call in (
            lambda: stores.identities.link(one),
            lambda: stores.identities.unlink(one.user_id, one.platform, one.value),
            lambda: stores.identities.of_user(one.user_id),
            lambda: stores.identities.owner(one.platform, one.value),
        ):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await call()
            assert time.monotonic() - began < 3
    finally:
        await stores.on()
