"""A message older than the memory that prevents repetition is refused, whatever is replayed."""

from __future__ import annotations

import pytest

from app.clock import now_ms
from support.deliveries import World, failure, request, requests
from support.fakes import batch_of
from support.waiting import stays, until

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("age_days", "lives_days", "is_sent"),
    [(0.5, 0, True), (1.1, 0, False), (5, 7, True), (8.8, 9.5, False), (10, 30, False), (400, 0, False)],
)
async def test_a_message_is_sent_only_while_its_attempts_are_certainly_remembered(
    age_days: float, lives_days: float, is_sent: bool
) -> None:
    world = World()  # attempts are remembered for nine days
    accepted_ms = now_ms() - int(age_days * DAY_MS)
    not_after_ms = accepted_ms + int(lives_days * DAY_MS) if lives_days else 0
    await world.deliver(
        batch_of("whatsapp-outbound", request("m-1", accepted_at_ms=accepted_ms, not_after_ms=not_after_ms))
    )
    await until(world.is_done)
    assert world.channel.calls == (["m-1"] if is_sent else [])
    if not is_sent:
        assert failure(world).failure_code == "expired"


async def test_a_log_that_is_read_again_after_the_memory_is_gone_sends_nothing() -> None:
    world = World(state_retention_hours=216.0)
    await world.deliver(requests("m-1", "m-2"))
    await until(world.is_done)
    world.table.rows.clear()  # as the retention does, after nine days
    old = [
        request(name, accepted_at_ms=now_ms() - 10 * DAY_MS, not_after_ms=now_ms() + DAY_MS) for name in ("m-1", "m-2")
    ]
    await world.deliver(batch_of("whatsapp-outbound", *old))
    await until(world.is_done)
    await stays(lambda: world.channel.calls == ["m-1", "m-2"], 0.05)


async def test_a_log_that_is_read_again_while_they_are_remembered_sends_nothing() -> None:
    world = World()
    await world.deliver(requests("m-1", "m-2"))
    await until(world.is_done)
    await world.deliver(requests("m-1", "m-2", start=0))
    await until(world.is_done)
    await stays(lambda: world.channel.calls == ["m-1", "m-2"], 0.05)
