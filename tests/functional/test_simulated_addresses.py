"""The addresses of the simulated channels at which something goes otherwise than well."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.kafka.codec import decode
from channels.simulated import SimulatedConnector, Simulation
from channels.simulated.manners import MANNERS, manner_of
from domain.addresses import parse_recipient
from domain.outcomes import NotNow
from domain.recipients import CHANNELS
from domain.records import ReceiptReported, StatusChanged
from support.deliveries import World, failure, requests
from support.waiting import until

DOCUMENT = Path("docs/simulated-channels.md")
AT_ONCE = Simulation((0.0, 0.0), (0.0, 0.0))
EVERY_WORD = ["SENT", "DELIVERED", "READ"]
CHANNELS_OF = {"+": ("whatsapp",), "@": ("instagram", "telegram")}


async def life_of(recipient: str) -> tuple[World, list[str]]:
    """Return what became of a message to ``recipient``."""
    channel = recipient.partition(":")[0]
    world = World(channel=channel, repeatable=True)
    connector = SimulatedConnector(channel, channel.title(), AT_ONCE)
    world.channel.send = connector.send  # type: ignore[method-assign]
    world.channel.promised_receipts = connector.promised_receipts  # type: ignore[method-assign]
    await world.deliver(requests("m-1", recipient_id=recipient))
    await until(world.is_done)
    world.receive(*(decode(value, ReceiptReported) for value in world.producer.on(f"{channel}-events")))
    return world, [word for _, word in world.facts()]


@pytest.mark.parametrize("recipient", ["whatsapp:+12025550101", "instagram:@always_fails", "telegram:@always_fails"])
async def test_a_message_to_an_address_that_always_fails_is_failed_and_says_why(recipient: str) -> None:
    world, words = await life_of(recipient)
    assert words == ["FAILED"]
    assert failure(world).failure_code == "refused"
    assert "refuses" in (failure(world).failure_detail or "")


@pytest.mark.parametrize("recipient", ["whatsapp:+12025550102", "instagram:@is_unknown", "telegram:@is_unknown"])
async def test_a_message_to_an_address_that_nobody_has_is_failed_with_another_reason(recipient: str) -> None:
    world, words = await life_of(recipient)
    assert words == ["FAILED"]
    assert failure(world).failure_code == "unknown-recipient"


@pytest.mark.parametrize("recipient", ["whatsapp:+12025550103", "instagram:@is_throttled", "telegram:@is_throttled"])
async def test_a_throttled_message_is_read_after_the_third_attempt(recipient: str) -> None:
    world, words = await life_of(recipient)
    assert words == EVERY_WORD
    [sent, *_] = [decode(value, StatusChanged) for value in world.app.batch_producer.on("status-updates")]
    assert sent.attempt == 3


@pytest.mark.parametrize(
    "recipient", ["whatsapp:+12025550104", "instagram:@never_delivered", "telegram:@never_delivered"]
)
async def test_a_message_to_a_phone_that_is_off_stays_sent(recipient: str) -> None:
    assert (await life_of(recipient))[1] == ["SENT"]


@pytest.mark.parametrize("recipient", ["whatsapp:+12025550105", "instagram:@never_reads", "telegram:@never_reads"])
async def test_a_message_to_somebody_who_never_reads_stays_delivered(recipient: str) -> None:
    assert (await life_of(recipient))[1] == ["SENT", "DELIVERED"]


@pytest.mark.parametrize(
    "recipient", ["whatsapp:+5511999990000", "whatsapp:+12025550100", "instagram:@maria", "telegram:12345"]
)
async def test_every_other_address_is_as_friendly_as_ever(recipient: str) -> None:
    assert (await life_of(recipient))[1] == EVERY_WORD


def test_a_throttled_channel_asks_for_another_try_and_then_has_no_objection() -> None:
    manner = manner_of("@is_throttled")
    assert [type(manner.objection(attempt)) for attempt in (1, 2, 3)] == [NotNow, NotNow, type(None)]


@pytest.mark.parametrize("address", MANNERS)
def test_every_special_address_is_in_normal_form_where_it_can_exist_and_is_documented(address: str) -> None:
    channels = CHANNELS_OF[address[0]]
    assert set(channels) <= set(CHANNELS)
    for channel in channels:
        assert parse_recipient(f"{channel}:{address}").address == address
    assert f"`{address}`" in DOCUMENT.read_text()


async def test_a_text_over_the_channels_limit_is_failed_and_never_told_as_read() -> None:
    """The API refuses such a text; an older release took it."""
    world = World(channel="instagram", repeatable=True)
    connector = SimulatedConnector("instagram", "Instagram", AT_ONCE)
    world.channel.send = connector.send  # type: ignore[method-assign]
    await world.deliver(requests("m-1", recipient_id="instagram:@maria", content="x" * 10_240))
    await until(world.is_done)
    assert [word for _, word in world.facts()] == ["FAILED"]
    assert failure(world).failure_code == "text-too-long"
    assert "instagram takes at most 999 bytes" in (failure(world).failure_detail or "")
