"""RefreshTokenStore, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace

import pytest

from domain.errors import StoreUnavailable
from domain.ports import RefreshToken
from support.waiting import decided, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW_MS = 1_767_225_600_123
HOUR = 3600


def token() -> RefreshToken:
    return RefreshToken(secrets.token_hex(16), "u-1", secrets.token_hex(32), NOW_MS)


def successor(of: RefreshToken) -> RefreshToken:
    return replace(of, token_hash=secrets.token_hex(32), expires_at_ms=of.expires_at_ms + 1)


async def test_a_session_is_found_by_its_id_and_holds_its_current_token(stores):
    first = token()
    assert await stores.refresh_tokens.find(first.session_id) is None
    await stores.refresh_tokens.start(first, HOUR)
    assert await stores.refresh_tokens.find(first.session_id) == first
    second = successor(first)
    assert await stores.refresh_tokens.rotate(first.token_hash, second, HOUR) is True
    assert await stores.refresh_tokens.find(first.session_id) == second


async def test_a_used_token_is_not_rotated_again(stores):
    first = token()
    second, third, stolen = successor(first), successor(first), successor(first)
    await stores.refresh_tokens.start(first, HOUR)
    assert await stores.refresh_tokens.rotate(first.token_hash, second, HOUR) is True
    assert await stores.refresh_tokens.rotate(first.token_hash, stolen, HOUR) is False
    assert await stores.refresh_tokens.rotate(second.token_hash, third, HOUR) is True
    assert await stores.refresh_tokens.rotate(first.token_hash, stolen, HOUR) is False
    assert await stores.refresh_tokens.find(first.session_id) == third


async def test_of_many_who_rotate_the_same_token_at_once_exactly_one_wins(stores):
    first = token()
    await stores.refresh_tokens.start(first, HOUR)
    rivals = [successor(first) for _ in range(12)]

    async def try_to_rotate(rival: RefreshToken) -> bool:
        return bool(await decided(lambda: stores.refresh_tokens.rotate(first.token_hash, rival, HOUR)))

    won = await asyncio.gather(*map(try_to_rotate, rivals))
    assert sum(won) == 1
    assert await stores.refresh_tokens.find(first.session_id) == rivals[won.index(True)]


async def test_an_ended_session_is_gone_and_cannot_be_continued(stores):
    first, other = token(), token()
    await stores.refresh_tokens.start(first, HOUR)
    await stores.refresh_tokens.start(other, HOUR)
    for _ in range(2):
        await stores.refresh_tokens.end(first.session_id)
    assert await stores.refresh_tokens.find(first.session_id) is None
    assert await stores.refresh_tokens.rotate(first.token_hash, successor(first), HOUR) is False
    assert await stores.refresh_tokens.find(first.session_id) is None
    assert await stores.refresh_tokens.find(other.session_id) == other


async def test_a_session_is_forgotten_when_its_time_is_over_and_a_rotation_renews_all_of_it(stores):
    for _ in range(10):  # on a busy machine its time may be over before it is rotated
        renewed = token()
        second = successor(renewed)
        await stores.refresh_tokens.start(renewed, 2)
        if await stores.refresh_tokens.rotate(renewed.token_hash, second, HOUR):
            break
    # begun later and for as long: when this one is gone, the time of the first row is over, too
    short = token()
    await stores.refresh_tokens.start(short, 2)

    async def is_gone() -> bool:
        return await stores.refresh_tokens.find(short.session_id) is None

    await until(is_gone, 30)
    assert await stores.refresh_tokens.rotate(short.token_hash, successor(short), HOUR) is False
    assert await stores.refresh_tokens.find(renewed.session_id) == second


@pytest.mark.parametrize("odd", ["", "\ud800", "'; DROP TABLE refresh_tokens; --", "x" * 70_000])
async def test_a_session_that_cannot_be_is_not_found(stores, odd):
    assert await stores.refresh_tokens.find(odd) is None
    await stores.refresh_tokens.end(odd)


async def test_an_outage_is_told_quickly(stores):
    first = token()
    await stores.refresh_tokens.start(first, HOUR)
    await stores.off()
    try:
        for call in (
            lambda: stores.refresh_tokens.start(token(), HOUR),
            lambda: stores.refresh_tokens.find(first.session_id),
            lambda: stores.refresh_tokens.rotate(first.token_hash, successor(first), HOUR),
            lambda: stores.refresh_tokens.end(first.session_id),
        ):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await call()
            assert time.monotonic() - began < 3
    finally:
        await stores.on()
