"""IdentityStore, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from domain.errors import AlreadyExists, Conflict, NotFound, StoreUnavailable
from domain.ports import MAX_IDENTITIES, Identity
from support.waiting import decided

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


async def test_an_address_that_nobody_has_proven_is_linked_by_several_and_is_nobodys(stores):
    one = identity()
    other = identity(value=one.value)
    await stores.identities.link(one)
    with pytest.raises(NotFound):
        await stores.identities.unlink(other.user_id, one.platform, one.value)
    assert await stores.identities.link(other) == replace(other, contested=True)
    assert list(await stores.identities.of_user(one.user_id)) == [replace(one, contested=True)]
    assert await stores.identities.owner(one.platform, one.value) is None
    await stores.identities.unlink(other.user_id, one.platform, one.value)
    assert list(await stores.identities.of_user(one.user_id)) == [one]
    assert list(await stores.identities.of_user(other.user_id)) == []
    assert await stores.identities.owner(one.platform, one.value) == one.user_id


async def test_a_proven_address_is_refused_to_others_and_their_claims_do_not_count(stores):
    earlier = identity()
    await stores.identities.link(earlier)
    proven = replace(identity(value=earlier.value), verified=True)
    assert await stores.identities.link(proven) == proven
    assert list(await stores.identities.of_user(earlier.user_id)) == [replace(earlier, contested=True)]
    assert await stores.identities.owner(proven.platform, proven.value) == proven.user_id
    for late in (identity(value=proven.value), replace(identity(value=proven.value), verified=True)):
        with pytest.raises(AlreadyExists):
            await stores.identities.link(late)
        assert list(await stores.identities.of_user(late.user_id)) == []
    await stores.identities.unlink(proven.user_id, proven.platform, proven.value)
    assert list(await stores.identities.of_user(earlier.user_id)) == [earlier]
    late = identity(value=proven.value)
    assert await stores.identities.link(late) == replace(late, contested=True)


async def test_so_many_identities_and_no_more_however_many_are_linked_at_once(stores):
    maria = somebody()
    linked = [identity(maria) for _ in range(MAX_IDENTITIES - 3)]
    for one in linked:
        await stores.identities.link(one)
    rivals = [identity(maria) for _ in range(8)]

    async def try_to_link(rival: Identity) -> bool:
        try:
            return (await decided(lambda: stores.identities.link(rival))) == rival
        except AlreadyExists:
            raise
        except Conflict:
            return False

    won = await asyncio.gather(*map(try_to_link, rivals))
    assert sum(won) == 3
    standing = linked + [rival for rival, has_won in zip(rivals, won, strict=True) if has_won]
    assert list(await stores.identities.of_user(maria)) == sorted(standing, key=lambda one: (one.platform, one.value))
    for rival, has_won in zip(rivals, won, strict=True):
        assert await stores.identities.owner(rival.platform, rival.value) == (maria if has_won else None)
    assert await stores.identities.link(linked[0]) == linked[0]  # it is linked already
    await stores.identities.unlink(maria, linked[0].platform, linked[0].value)
    freed = identity(maria)
    assert await stores.identities.link(freed) == freed


async def test_an_address_that_very_many_link_is_contested_for_each(stores):
    address = phone()
    many = [identity(value=address) for _ in range(20)]
    for one in many:
        await stores.identities.link(one)
    for one in many:
        assert list(await stores.identities.of_user(one.user_id)) == [replace(one, contested=True)]
    assert await stores.identities.owner("whatsapp", address) is None


async def test_linking_and_unlinking_at_once_ends_as_one_or_the_other(stores):
    one = identity()

    async def patiently(call: Callable[[], Awaitable[object]]) -> None:
        with suppress(NotFound):
            await decided(call)

    for _ in range(5):
        await asyncio.gather(
            patiently(lambda: stores.identities.link(one)),
            patiently(lambda: stores.identities.unlink(one.user_id, one.platform, one.value)),
        )
        standing = list(await stores.identities.of_user(one.user_id))
        assert standing in ([], [one])
        assert await stores.identities.owner(one.platform, one.value) == (one.user_id if standing else None)


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


async def test_many_who_link_an_address_at_once_all_have_it_contested(stores):
    address = phone()
    rivals = [identity(value=address) for _ in range(12)]

    async def link(rival: Identity) -> None:
        await decided(lambda: stores.identities.link(rival))

    await asyncio.gather(*map(link, rivals))
    for rival in rivals:
        assert list(await stores.identities.of_user(rival.user_id)) == [replace(rival, contested=True)]


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
