"""Files of people's messages: fetched before the message is shown, in order, within bounds."""

from __future__ import annotations

from hashlib import sha256

from domain.errors import DeliveryFailed, FileStoreUnavailable, Unavailable
from domain.files import PART_BYTES
from support.people import Inbound, message
from support.waiting import stays, until

PHOTO = b"a photo of a cat"


def photo(name: str, **more: object) -> dict[str, object]:
    """A message with a file of this id."""
    return message(f"w-{name}", "look", media=[{"id": name, "kind": "image", "mime_type": "image/jpeg", **more}])


async def test_a_file_is_in_the_store_with_its_hash_before_the_message_is_shown() -> None:
    world = Inbound()
    world.phone.files["cat"] = PHOTO
    await world.post(photo("cat", sha256=sha256(PHOTO).hexdigest(), size_bytes=len(PHOTO)))
    await until(lambda: len(world.messages()) == 1)
    (shown,) = world.messages()
    assert shown.content == "look"
    assert shown.file is not None
    assert (shown.file.size_bytes, shown.file.mimetype) == (len(PHOTO), "image/jpeg")
    assert shown.file.checksum == f"sha256:{sha256(PHOTO).hexdigest()}"
    assert world.store.objects[shown.file.storage_path][0] == PHOTO
    assert shown.file.storage_path.partition("/")[2].startswith(str(shown.file_id))
    await until(lambda: not [key for key in world.table.rows if key.startswith(b"i")])


async def test_what_a_person_writes_after_a_file_waits_for_it_and_others_do_not() -> None:
    world = Inbound()
    world.phone.files["cat"] = [Unavailable("later", 0), PHOTO]
    await world.post(photo("cat"), message("w-2", "nice?"))
    await world.post(message("w-3", "me first", person={"phone": "+5511900001111"}))
    assert [one.content for one in world.messages()] == ["me first"]
    await until(lambda: len(world.messages()) == 3)
    assert [one.content for one in world.messages()] == ["me first", "look", "nice?"]


async def test_several_files_are_several_messages_in_order() -> None:
    world = Inbound()
    world.phone.files |= {"a": b"1", "b": b"2"}
    await world.post(message("w-1", "two", media=[{"id": "a"}, {"id": "b"}]))
    await until(lambda: len(world.messages()) == 2)
    assert [one.content for one in world.messages()] == ["two", ""]
    assert len({one.message_id for one in world.messages()}) == 2
    assert len(world.store.objects) == 2


async def test_a_large_file_goes_in_parts() -> None:
    world = Inbound()
    data = b"0123456789" * (PART_BYTES // 4)
    world.phone.files["film"] = data
    await world.post(photo("film"))
    await until(lambda: len(world.messages()) == 1)
    file = world.messages()[0].file
    assert file is not None
    assert world.store.objects[file.storage_path][0] == data


async def test_a_file_that_is_gone_too_large_or_corrupt_still_yields_the_message_that_says_so() -> None:
    world = Inbound(inbound_file_max_bytes=1_000)
    world.phone.files |= {"gone": [DeliveryFailed("file-missing", "expired")], "large": b"x" * 1_001, "odd": PHOTO}
    world.phone.files["bug"] = [RuntimeError("a connector's fault")]
    await world.post(
        photo("gone"), photo("large"), photo("huge", size_bytes=2_000), photo("odd", sha256="0" * 64), photo("bug")
    )
    await until(lambda: len(world.messages()) == 5)
    assert [one.body["reason"] for one in world.messages()] == [
        "file-missing",
        "file-too-large",
        "file-too-large",
        "file-corrupt",
        "file-failed",
    ]
    assert {(one.kind, one.content, one.file_id) for one in world.messages()} == {("unsupported", "look", None)}
    assert world.store.objects == {}


async def test_a_file_is_waited_for_within_bounds() -> None:
    world = Inbound(inbound_file_patience_seconds=0)
    world.phone.files["cat"] = [Unavailable("never")]
    await world.post(photo("cat"))
    await until(lambda: len(world.messages()) == 1)
    assert world.messages()[0].body["reason"] == "file-unavailable"


async def test_a_store_that_is_away_costs_no_message() -> None:
    world = Inbound()
    world.phone.files["cat"] = [FileStoreUnavailable("away", 0), PHOTO]
    await world.post(photo("cat"))
    await until(lambda: len(world.messages()) == 1)
    assert world.messages()[0].file is not None


async def test_a_worker_that_dies_with_a_message_that_waits_leaves_it_to_the_next() -> None:
    world = Inbound()
    world.phone.files["cat"] = [Unavailable("later", 30), PHOTO]
    await world.post(photo("cat"), message("w-2", "nice?"))
    records = world.producer.on("whatsapp-inbound")
    await until(lambda: world.phone.fetched == ["cat"])
    await stays(lambda: world.messages() == [])
    await world.crash()
    await until(lambda: len(world.messages()) == 2)
    assert [one.content for one in world.messages()] == ["look", "nice?"]
    world.phone.files["cat"] = PHOTO
    await world.take(*records, offset=0)  # the batch was not committed
    await until(lambda: len(world.messages()) == 4)
    assert world.messages()[:2] == world.messages()[2:]
    assert len(world.store.objects) == 1


async def test_a_file_that_is_in_the_store_after_a_crash_is_not_fetched_again() -> None:
    """Once the message was shown again as one without its file: the provider's address of it had expired."""
    world = Inbound()
    world.phone.files["cat"] = [PHOTO, DeliveryFailed("file-missing", "the address has expired")]
    await world.post(photo("cat", sha256=sha256(PHOTO).hexdigest()))
    world.producer.held = True  # the worker ends before the message is durable
    await until(lambda: len(world.messages()) == 1)
    first = world.messages()[0]
    await world.crash()
    await until(lambda: len(world.messages()) == 2)
    assert world.messages()[1] == first
    assert first.file is not None


async def test_an_object_that_is_another_file_is_replaced() -> None:
    world = Inbound()
    world.phone.files["cat"] = PHOTO
    await world.post(photo("cat", sha256=sha256(PHOTO).hexdigest()))
    await until(lambda: len(world.messages()) == 1)
    file = world.messages()[0].file
    assert file is not None
    world.store.objects[file.storage_path] = (b"half a pho", 0)
    await world.take(*world.producer.on("whatsapp-inbound"), offset=0)
    await until(lambda: len(world.messages()) == 2)
    assert world.store.objects[file.storage_path][0] == PHOTO
