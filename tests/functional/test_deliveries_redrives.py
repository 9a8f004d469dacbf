"""Redrives: what an operator has sent again, once, and never in place of what is just ending."""

from __future__ import annotations

import pytest

from app.kafka.pending_batches import Headers, PendingBatch
from domain.outcomes import Unknown
from support.deliveries import World, requests
from support.operators import command, redrives
from support.waiting import stays, until


async def test_a_failed_message_is_sent_again_by_an_operator_once() -> None:
    world = World(evidence_seconds=0.01)
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    (letter,) = world.letters()
    for _ in range(2):
        command(world, "redrive", request=letter.value)
        await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-1"]
    sent = world.changes()[-1]
    assert (sent.status, sent.attempt) == ("SENT", 2), "it heals the failure of attempt 1"
    assert redrives(world) == [("m-1", "queued", "id-1"), ("m-1", "passed-over", "id-1: it was sent")]


async def test_a_redriven_message_goes_before_those_that_still_wait() -> None:
    world = World(evidence_seconds=0.01)
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    world.channel.open.clear()
    await world.deliver(requests("m-2", "m-3", "m-4"))
    await until(lambda: world.channel.calls == ["m-1", "m-2"])
    command(world, "redrive", request=world.letters()[0].value)
    world.channel.open.set()
    await until(world.is_done)
    assert world.channel.calls == ["m-1", "m-2", "m-1", "m-3", "m-4"]


async def test_what_is_not_on_record_as_failed_is_not_sent_again() -> None:
    world = World()
    await world.deliver(requests("m-1"))
    await until(world.is_done)
    for message in ("m-1", "m-7"):
        command(world, "redrive", request=requests(message).records[0].value)
    await stays(lambda: world.channel.calls == ["m-1"])
    assert redrives(world) == [
        ("m-1", "passed-over", "id-1: it was sent"),
        ("m-7", "passed-over", "id-1: no failure is on record any more"),
    ]


@pytest.mark.parametrize("what", ["the fact that it failed", "the removal of its row"])
async def test_a_failure_that_is_just_being_reported_is_redriven_when_that_is_done(what: str) -> None:
    """The report ends with the row's removal: a new row in its place went with it, or held the place without a call."""
    world = World(evidence_seconds=0.01)
    world.channel.answers["m-1"] = [Unknown("the connection broke")]
    enqueue = world.producer.enqueue

    def held(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> PendingBatch:
        is_removal = topic == "queue-changelog" and value is None
        world.producer.held |= is_removal if what == "the removal of its row" else topic == "status-updates"
        return enqueue(topic, partition, key, value, headers)

    world.producer.enqueue = held  # type: ignore[method-assign]
    await world.deliver(requests("m-1"))
    await until(lambda: world.producer.held)
    letter = world.letters()[0].value
    command(world, "redrive", request=letter)
    assert redrives(world) == [("m-1", "passed-over", "id-1: its failure is being reported; try again")]
    world.producer.enqueue = enqueue  # type: ignore[method-assign]
    world.producer.release()
    await until(world.is_done)
    assert world.channel.calls == ["m-1"]
    command(world, "redrive", request=letter)
    await until(lambda: world.channel.calls == ["m-1", "m-1"])
    await until(world.is_done)
    assert world.changes()[-1].status == "SENT"
