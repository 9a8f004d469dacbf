"""A file goes to the channel once for each account, while the channel keeps it."""

from __future__ import annotations

from typing import cast

import orjson

from agents.handles import Handles
from app.clock import now_ms
from app.faust.durable_table import DurableTable
from domain.outcomes import Refused
from support.deliveries import Channel, World, failure, requests
from support.waiting import until
from tables.queue import handle_row_key


def world_with_files(handle_days: int = 30) -> World:
    world = World()
    world.channel = Channel(handle_days=handle_days)
    world.channels = {"default": world.channel}
    world.start()
    return world


async def send(world: World, *ids: str) -> None:
    file = world.put(b"a picture")
    for message_id in ids:
        await world.deliver(requests(message_id, file=file))
        await until(world.is_done)


async def test_a_file_that_is_sent_again_is_not_uploaded_again_also_by_the_next_owner() -> None:
    world = world_with_files()
    await send(world, "m-1", "m-2")
    world.crash()
    await send(world, "m-3")
    assert len(world.channel.uploaded) == 1
    assert [each.handle for each in world.channel.attachments if each] == ["media-1"] * 3


async def test_a_channel_that_keeps_no_file_gets_it_each_time() -> None:
    world = world_with_files(handle_days=0)
    await send(world, "m-1", "m-2")
    assert len(world.channel.uploaded) == 2


async def test_a_name_that_is_too_old_is_not_used_and_leaves() -> None:
    world = world_with_files()
    await send(world, "m-1")
    key = handle_row_key("default", "f-1")
    world.queue.rows[key] = orjson.dumps(("media-0", now_ms() - 28 * 24 * 3_600_000))
    await send(world, "m-2")
    assert len(world.channel.uploaded) == 2
    world.queue.rows[key] = orjson.dumps(("media-0", now_ms() - 28 * 24 * 3_600_000))
    Handles(cast(DurableTable, world.queue), "default", 30).sweep([2])
    assert key not in world.queue.rows


async def test_a_remembered_file_that_the_channel_refuses_is_uploaded_anew() -> None:
    world = world_with_files()
    await send(world, "m-1")
    world.channel.answers["m-2"] = [Refused("131053", "there is no such media")]
    await send(world, "m-2")
    assert world.facts() == [("m-1", "SENT"), ("m-2", "SENT")]
    assert (len(world.channel.uploaded), len(world.channel.calls)) == (2, 3)


async def test_a_message_that_was_sent_in_part_with_a_remembered_file_is_not_begun_anew() -> None:
    """Once the person got the file twice, because its text was refused."""
    world = world_with_files()
    await send(world, "m-1")
    refusal = Refused("invalid-message", "too long")
    world.channel.answers["m-2"] = [Refused("sent-in-part", "part 2 of 2 was not taken", cause=refusal)]
    await send(world, "m-2")
    assert (failure(world).failure_code, world.channel.calls) == ("sent-in-part", ["m-1", "m-2"])


async def test_a_file_that_is_refused_just_after_its_upload_fails_the_message() -> None:
    world = world_with_files()
    world.channel.answers["m-1"] = [Refused("131053", "the file is broken")]
    await send(world, "m-1")
    assert (failure(world).failure_code, len(world.channel.calls)) == ("131053", 1)
