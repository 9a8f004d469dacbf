"""Delivery of messages with files, on fakes: checked, sent as what the channel takes, once for all recipients."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.kafka.codec import decode
from channels.simulated import SimulatedConnector, Simulation
from domain.attachments import MB, MediaKind
from domain.attempts import Attempt, Outcome
from domain.errors import DeliveryFailed, Unavailable
from domain.outcomes import OUTCOME_UNKNOWN, NotNow
from domain.ports import Attachment
from domain.records import StatusChanged
from support.deliveries import World, failure, request, requests, to_three
from support.fakes import batch_of
from support.waiting import until
from tables import attempts


def attached(world: World, n: int = 0) -> Attachment:
    found = world.channel.attachments[n]
    assert found is not None
    return found


async def test_a_file_reaches_the_channel_whole_before_the_message_does() -> None:
    world = World()
    data = bytes(range(256)) * 5_000
    await world.deliver(requests("m-1", file=world.put(data)))
    await until(world.is_done)
    assert world.channel.uploaded == [data]
    assert attached(world).plan.kind is MediaKind.IMAGE
    assert attached(world).plan.caption == "hi"
    assert attached(world).handle == "media-1"
    assert attached(world).url.startswith("https://files.example.org/v1/files/f-1/link?")
    assert world.facts() == [("m-1", "SENT")]
    assert world.store.readers == 0


async def test_a_message_is_not_sent_without_the_file_it_names() -> None:
    world = World()
    await world.deliver(requests("m-1", file_id="f-1"))
    await until(world.is_done)
    assert failure(world).failure_code == "file-missing"
    assert world.channel.calls == []


async def test_messages_without_a_file_open_no_store() -> None:
    world = World()
    await world.deliver(requests("m-1", "m-2"))
    await until(world.is_done)
    assert world.opened == []
    assert world.channel.attachments == [None, None]


@pytest.mark.parametrize(
    "stored",
    [b"", b"as it waS", b"as it was, and more", b"as it"],
    ids=["empty", "another byte", "longer", "shorter"],
)
async def test_a_file_that_is_not_what_was_uploaded_fails_the_message_for_good(stored: bytes) -> None:
    world = World()
    file = world.put(b"as it was")
    world.store.objects[file.storage_path] = (stored, 0)
    await world.deliver(requests("m-1", "m-2", file=file))
    await world.deliver(requests("m-3", start=2))
    await until(world.is_done)
    changes = [decode(value, StatusChanged) for value in world.app.batch_producer.on("status-updates")]
    failed = [(change.message_id, change.failure_code) for change in changes if change.status == "FAILED"]
    assert failed == [("m-1", "file-corrupt"), ("m-2", "file-corrupt")]
    assert world.channel.calls == ["m-3"], "and the conversation goes on"
    assert file.filename in (changes[0].failure_detail or "")


@pytest.mark.parametrize("stored", [b"x" * 300_000, b"y" * 600_000 + b"x" * 300_000])
async def test_a_channel_never_gets_the_end_of_a_corrupt_file(stored: bytes) -> None:
    world = World()
    file = world.put(b"y" * 300_000 + b"x" * 300_000)
    world.store.objects[file.storage_path] = (stored, 0)
    await world.deliver(requests("m-1", file=file))
    await until(world.is_done)
    assert failure(world).failure_code == "file-corrupt"
    assert len(world.channel.uploaded[0]) < file.size_bytes


@pytest.mark.parametrize("size_bytes", [9, 200 * MB])
async def test_a_file_that_is_gone_fails_the_message_for_good(size_bytes: int) -> None:
    world = World()
    file = replace(world.put(b"as it was"), size_bytes=size_bytes)
    del world.store.objects[file.storage_path]
    await world.deliver(requests("m-1", file=file))
    await until(world.is_done)
    assert failure(world).failure_code == "file-missing"
    assert world.attempt("m-1").outcome == Outcome.FAILED  # type: ignore[union-attr]
    await world.deliver(requests("m-1", file=file))
    await until(lambda: len(world.app.consumer.completed) == 2)
    assert world.channel.calls == []


async def test_a_file_over_the_channels_cap_goes_as_a_link_without_being_read() -> None:
    world = World()
    data = b"\0" * (5 * MB + 1)
    await world.deliver(requests("m-1", file=world.put(data, "image/jpeg", "big.jpg")))
    await until(world.is_done)
    way = attached(world).plan
    assert way.kind is MediaKind.LINK
    assert way.texts == (f"hi\n\nbig.jpg (5.0 MB)\n{attached(world).url}",)
    assert (world.store.reads, world.channel.uploaded) == (0, [])


async def test_a_link_to_a_file_of_another_size_is_not_sent() -> None:
    world = World()
    file = world.put(b"short", "application/zip")
    await world.deliver(requests("m-1", file=replace(file, size_bytes=6)))
    await until(world.is_done)
    assert failure(world).failure_code == "file-corrupt"


async def test_a_link_that_no_text_can_hold_fails_the_message() -> None:
    world = World(channel="instagram")
    world.store._public_url = f"https://{'x' * 999}"
    await world.deliver(requests("m-1", file=world.put(b"%PDF", "application/pdf")))
    await until(world.is_done)
    assert failure(world).failure_code == "link-too-long"


async def test_a_link_that_a_long_name_makes_too_long_is_made_without_the_name() -> None:
    world = World(channel="instagram")
    world.store.link = lambda file, seconds, now: f"https://x/{file.metadata.filename * 9}"  # type: ignore[method-assign]
    await world.deliver(requests("m-1", file=world.put(b"%PDF", "application/pdf", f"{'n' * 200}.pdf")))
    await until(world.is_done)
    assert attached(world).url == f"https://x/{'file.pdf' * 9}"
    assert attached(world).plan.texts == (f"hi\n\n{'n' * 200}.pdf (4 bytes)\n{attached(world).url}",)


async def test_a_channel_that_is_busy_gets_the_file_once_and_the_message_again() -> None:
    world = World()
    world.channel.answers["m-1"] = [NotNow("busy"), NotNow("busy")]
    await world.deliver(requests("m-1", file=world.put(b"data")))
    await until(world.is_done)
    assert world.attempt("m-1").number == 3  # type: ignore[union-attr]
    assert world.channel.uploaded == [b"data"]


@pytest.mark.parametrize(
    ("errors", "code"),
    [([Unavailable("busy")] * 5, "unavailable"), ([DeliveryFailed("media-refused", "no")], "media-refused")],
)
async def test_a_channel_that_does_not_take_the_file_fails_the_message(errors: list[Exception], code: str) -> None:
    world = World()

    async def upload(attachment: Attachment) -> str:
        raise errors.pop(0)

    world.channel.upload = upload  # type: ignore[method-assign]
    await world.deliver(requests("m-1", file=world.put(b"data")))
    await until(world.is_done)
    assert failure(world).failure_code == code
    assert errors == []


@pytest.mark.parametrize(
    "error", [KeyError("id"), asyncio.CancelledError()], ids=["exception", "cancelled from inside"]
)
async def test_an_upload_that_raises_costs_its_message_an_attempt_and_no_worker(error: BaseException) -> None:
    world = World()
    errors = [error]
    upload = world.channel.upload

    async def raises_once(attachment: Attachment) -> str:
        if errors:
            raise errors.pop()
        return await upload(attachment)

    world.channel.upload = raises_once  # type: ignore[method-assign]
    await world.deliver(requests("m-1", "m-2", file=world.put(b"data")))
    await until(world.is_done)
    assert world.facts() == [("m-1", "SENT"), ("m-2", "SENT")]
    assert world.app.aborted == []


async def test_what_was_sent_with_a_file_is_not_fetched_again_when_its_event_comes_back() -> None:
    world = World()
    file = world.put(b"data")
    for times in (1, 2):
        await world.deliver(requests("m-1", file=file))
        await until(lambda wanted=times: len(world.facts()) == wanted and world.is_done())
    assert (world.channel.calls, world.store.reads) == (["m-1"], 1)


async def test_an_attempt_with_unknown_outcome_is_held_back_with_a_file_too() -> None:
    world = World(repeatable=False, evidence_seconds=0.02)
    world.table.rows[b"m-1"] = attempts.dump(Attempt(1, Outcome.BEGUN, 5))
    await world.deliver(requests("m-1", file=world.put(b"data")))
    await until(world.is_done)
    assert (world.channel.calls, world.store.reads) == ([], 0)
    assert [letter.reason for letter in world.letters()] == [OUTCOME_UNKNOWN]


async def test_a_file_for_several_is_fetched_once_and_sent_to_each() -> None:
    world = World()
    await world.deliver(batch_of("whatsapp-outbound", *to_three(world.put(b"data"))))
    await until(world.is_done)
    assert world.channel.calls == ["m-1"] * 3
    assert (world.store.reads, world.channel.uploaded) == (1, [b"data"])
    assert world.facts().count(("m-1", "SENT")) == 3


async def test_a_corrupt_file_for_several_fails_each() -> None:
    world = World()
    file = replace(world.put(b"data"), checksum=f"sha256:{'0' * 64}")
    await world.deliver(batch_of("whatsapp-outbound", *to_three(file)))
    await until(world.is_done)
    assert world.facts() == [("m-1", "FAILED")] * 3
    assert world.app.aborted == []


async def test_the_simulated_channel_checks_what_it_is_given_and_tells_how_it_went(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    connector = SimulatedConnector("whatsapp", "WhatsApp", Simulation())
    world = World()
    world.channel.upload = connector.upload  # type: ignore[method-assign]
    world.channel.send = connector.send  # type: ignore[method-assign]
    world.put(b"data", key="c-1/bad")
    good, bad = world.put(b"data"), replace(world.put(b"data"), storage_path="c-1/bad", checksum=f"sha256:{'0' * 64}")
    await world.deliver(
        batch_of(
            "whatsapp-outbound",
            request("m-1", file=good),
            request("m-2", file=bad),
            request("m-3", file=replace(good, mimetype="application/zip")),
        ),
    )
    await until(world.is_done)
    assert failure(world).message_id == "m-2"
    told = [line for line in caplog.messages if line.startswith("[WhatsApp] With")]
    assert told == [
        f"[WhatsApp] With a.png for +5511999990000: 4 bytes, as image, {good.checksum}",
        "[WhatsApp] With a.png for +5511999990000: 4 bytes, as a link",
    ]
    assert "signature=" not in caplog.text


async def test_an_error_of_our_own_ends_the_worker_loudly() -> None:
    world = World()

    def broken() -> None:
        raise RuntimeError("a bug")

    world.open_store = broken  # type: ignore[assignment, method-assign]
    world.start()
    await world.deliver(requests("m-1", file=world.put(b"data")))
    await until(lambda: world.app.aborted)
    assert isinstance(world.app.aborted[0][1], RuntimeError)
