"""Identities that releases before claims wrote: an address was of one user alone."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
import pytest_asyncio

from domain.errors import NotFound
from domain.ports import Identity
from storage.cassandra.driver_session import Access, CassandraConfig
from storage.cassandra.identities import CassandraIdentityStore
from storage.cassandra.session import CassandraSession

pytestmark = pytest.mark.real
LINKED_AT_MS = 1_767_225_600_123
_OLDER = "INSERT INTO {ks}.identities (address, user_id, platform, value, verified, linked_at_ms) VALUES (?,?,?,?,?,?)"
_LISTED = "INSERT INTO {ks}.identities_by_user (user_id, address) VALUES (?, ?)"


@pytest_asyncio.fixture
async def session(cassandra: CassandraConfig) -> Any:
    async with CassandraSession(cassandra) as session:
        yield session


async def older_link(session: CassandraSession) -> Identity:
    one = Identity(str(uuid.uuid4()), "whatsapp", f"+55119{random.randrange(10**8):08d}", False, LINKED_AT_MS)
    address = f"{one.platform}:{one.value}"
    await session.run(_OLDER, (address, one.user_id, one.platform, one.value, False, LINKED_AT_MS), Access.WRITE)
    await session.run(_LISTED, (one.user_id, address), Access.WRITE)
    return one


async def test_a_link_of_an_older_release_stands_is_contested_by_another_and_can_be_unlinked(
    session: CassandraSession,
) -> None:
    store, one = CassandraIdentityStore(session), await older_link(session)
    assert list(await store.of_user(one.user_id)) == [one]
    assert await store.owner(one.platform, one.value) == one.user_id
    again = Identity(one.user_id, one.platform, one.value, False, LINKED_AT_MS + 5)
    assert await store.link(again) == one

    other = Identity(str(uuid.uuid4()), one.platform, one.value, False, LINKED_AT_MS + 9)
    assert (await store.link(other)).contested
    assert (await store.of_user(one.user_id))[0].contested
    assert await store.owner(one.platform, one.value) is None

    await store.unlink(one.user_id, one.platform, one.value)
    assert list(await store.of_user(one.user_id)) == []
    assert list(await store.of_user(other.user_id)) == [other]
    with pytest.raises(NotFound):
        await store.unlink(one.user_id, one.platform, one.value)
    assert (await store.link(again)).linked_at_ms == LINKED_AT_MS + 5


async def test_what_an_older_release_left_half_done_is_no_claim(session: CassandraSession) -> None:
    store, one = CassandraIdentityStore(session), await older_link(session)
    await session.run("DELETE FROM {ks}.identities_by_user WHERE user_id = ?", (one.user_id,), Access.WRITE)
    other = Identity(str(uuid.uuid4()), one.platform, one.value, False, LINKED_AT_MS + 9)
    assert await store.link(other) == other
    assert await store.owner(one.platform, one.value) == other.user_id
