"""FileStore: the fake, a folder, and a real S3."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.errors import Conflict, FileStoreUnavailable, InvalidInput, NotFound
from domain.files import PART_BYTES, storage_key
from domain.ports import FileStore, Part

pytestmark = pytest.mark.asyncio(loop_scope="module")
TYPE = "application/octet-stream"
FULL = secrets.token_bytes(PART_BYTES)


def new_key(name: str = "a.bin") -> str:
    return storage_key(f"c-{secrets.token_hex(4)}", secrets.token_hex(8), name)


@pytest_asyncio.fixture(loop_scope="module")
async def store(files) -> FileStore:
    return files.store


@pytest_asyncio.fixture(loop_scope="module")
async def key(store: FileStore) -> AsyncIterator[str]:
    made = new_key()
    yield made
    await store.discard(made)


async def content(store: FileStore, key: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, start, length)])


async def listed(store: FileStore, key: str) -> list[tuple[int, bool]]:
    return [(one.size_bytes, one.is_whole) async for one in store.everything() if one.key == key]


async def test_a_small_object_is_there_as_it_was_put_and_a_second_one_replaces_it(store, key):
    assert await store.size(key) is None
    await store.put(key, b"first", TYPE)
    assert (await store.size(key), await content(store, key)) == (5, b"first")
    await store.put(key, b"second", TYPE)
    assert (await store.size(key), await content(store, key)) == (6, b"second")


async def test_an_empty_object_is_an_object(store, key):
    await store.put(key, b"", TYPE)
    assert await store.size(key) == 0
    assert await content(store, key) == b""
    assert await listed(store, key) == [(0, True)]


async def test_an_object_may_have_exactly_the_bytes_of_a_part_and_no_more(store, key):
    await store.put(key, FULL, TYPE)
    assert await content(store, key) == FULL
    with pytest.raises(ValueError, match="at most"):
        await store.put(key, FULL + b"!", TYPE)


async def test_parts_make_an_object_which_is_not_there_before_they_are_finished(store, key):
    upload = await store.begin(key, TYPE)
    parts = [await store.put_part(key, upload, 1, FULL), await store.put_part(key, upload, 2, b"the rest")]
    assert await store.size(key) is None
    with pytest.raises(NotFound):
        await content(store, key)
    await store.finish(key, upload, parts)
    assert await store.size(key) == PART_BYTES + 8
    assert await content(store, key) == FULL + b"the rest"


@pytest.mark.parametrize("data", [b"x", FULL], ids=["short", "full"])
async def test_one_part_is_enough(store, key, data):
    upload = await store.begin(key, TYPE)
    await store.finish(key, upload, [await store.put_part(key, upload, 1, data)])
    assert await content(store, key) == data


async def test_parts_come_in_any_order_and_side_by_side(store, key):
    upload = await store.begin(key, TYPE)
    pieces = [secrets.token_bytes(PART_BYTES) for _ in range(4)] + [b"end"]
    last = await store.put_part(key, upload, 5, pieces[4])
    others = await asyncio.gather(*(store.put_part(key, upload, n, pieces[n - 1]) for n in (4, 2, 1, 3)))
    parts = sorted([*others, last], key=lambda part: part.number)
    assert [(part.number, part.size_bytes) for part in parts] == [(n, len(pieces[n - 1])) for n in range(1, 6)]
    assert list(await store.parts(key, upload)) == parts
    await store.finish(key, upload, parts)
    assert await content(store, key) == b"".join(pieces)


async def test_a_part_stored_again_replaces_the_first_also_by_a_shorter_one(store, key):
    upload = await store.begin(key, TYPE)
    await store.put_part(key, upload, 1, FULL)
    again = await store.put_part(key, upload, 1, b"shorter")
    assert list(await store.parts(key, upload)) == [again]
    await store.finish(key, upload, [again])
    assert await content(store, key) == b"shorter"


async def test_an_upload_begun_has_no_parts(store, key):
    upload = await store.begin(key, TYPE)
    assert list(await store.parts(key, upload)) == []
    with pytest.raises(Conflict):
        await store.finish(key, upload, [])


async def test_parts_that_are_not_named_are_dropped(store, key):
    upload = await store.begin(key, TYPE)
    parts = [await store.put_part(key, upload, n, FULL) for n in (1, 2, 3)]
    await store.finish(key, upload, parts[:2])
    assert await store.size(key) == 2 * PART_BYTES


async def test_parts_with_a_gap_or_with_a_short_one_before_the_last_make_no_object(store, key):
    upload = await store.begin(key, TYPE)
    one, short, three = [await store.put_part(key, upload, n, d) for n, d in ((1, FULL), (2, b"short"), (3, FULL))]
    for wrong in ([short], [one, three], [one, short, three], [short, one]):
        with pytest.raises(Conflict):
            await store.finish(key, upload, wrong)
    assert await store.size(key) is None
    await store.finish(key, upload, [one, short])
    assert await store.size(key) == PART_BYTES + 5


async def test_a_part_that_is_not_there_or_was_replaced_makes_no_object(store, key):
    upload = await store.begin(key, TYPE)
    old = await store.put_part(key, upload, 1, FULL)
    new = await store.put_part(key, upload, 1, FULL[::-1])
    for wrong in ([old], [new, Part(2, 5, new.etag)]):
        with pytest.raises(Conflict):
            await store.finish(key, upload, wrong)
    assert await store.size(key) is None
    await store.finish(key, upload, [new])
    assert await content(store, key) == FULL[::-1]


async def test_what_is_finished_is_gone_as_an_upload(store, key):
    upload = await store.begin(key, TYPE)
    part = await store.put_part(key, upload, 1, b"whole")
    await store.finish(key, upload, [part])
    with pytest.raises(NotFound):
        await store.finish(key, upload, [part])
    with pytest.raises(NotFound):
        await store.put_part(key, upload, 1, b"late")
    with pytest.raises(NotFound):
        await store.parts(key, upload)
    assert await content(store, key) == b"whole"
    assert await listed(store, key) == [(5, True)]


async def test_two_uploads_of_a_key_know_nothing_of_each_other(store, key):
    first, second = await store.begin(key, TYPE), await store.begin(key, TYPE)
    mine, theirs = await store.put_part(key, first, 1, b"mine"), await store.put_part(key, second, 1, b"theirs")
    await store.finish(key, first, [mine])
    assert await content(store, key) == b"mine"
    assert list(await store.parts(key, second)) == [theirs]
    await store.finish(key, second, [theirs])
    assert await content(store, key) == b"theirs"


@pytest.mark.parametrize("upload", ["", "nobody's", "../../etc", "a/b", "x" * 300, "é", "a&b=c"])
async def test_an_upload_that_nobody_began_is_not_found(store, key, upload):
    with pytest.raises(NotFound):
        await store.put_part(key, upload, 1, b"x")
    with pytest.raises(NotFound):
        await store.parts(key, upload)
    with pytest.raises(NotFound):
        await store.finish(key, upload, [Part(1, 1, "0" * 32)])


async def test_an_upload_of_another_key_is_not_found(store, key):
    other = new_key()
    upload = await store.begin(other, TYPE)
    with pytest.raises(NotFound):
        await store.put_part(key, upload, 1, b"x")
    await store.discard(other)


@pytest.mark.parametrize(("number", "size"), [(0, 1), (-1, 1), (10_001, 1), (1, 0), (1, PART_BYTES + 1)])
async def test_no_part_has_such_a_number_or_size(store, key, number, size):
    upload = await store.begin(key, TYPE)
    with pytest.raises(ValueError, match="expected"):
        await store.put_part(key, upload, number, bytes(size))


async def test_discard_deletes_the_object_and_every_upload_of_the_key_and_no_other(store, key):
    neighbours = [f"{key}.1", key[:-1]]
    for neighbour in neighbours:
        await store.put(neighbour, b"other", TYPE)
    others = await store.begin(neighbours[0], TYPE)
    await store.put(key, b"object", TYPE)
    uploads = [await store.begin(key, TYPE) for _ in range(3)]
    await store.put_part(key, uploads[0], 1, b"part")
    await store.discard(key)
    assert await store.size(key) is None
    for upload in uploads:
        with pytest.raises(NotFound):
            await store.parts(key, upload)
    assert await listed(store, key) == []
    assert list(await store.parts(neighbours[0], others)) == []
    for neighbour in neighbours:
        assert await content(store, neighbour) == b"other"
        await store.discard(neighbour)
    await store.discard(key)


async def test_abort_deletes_the_uploads_of_the_key_and_leaves_its_object(store, key):
    upload = await store.begin(key, TYPE)
    await store.put_part(key, upload, 1, b"part")
    await store.put(key, b"object", TYPE)
    other = await store.begin(f"{key}.1", TYPE)
    for _ in range(2):
        await store.abort(key)
        with pytest.raises(NotFound):
            await store.parts(key, upload)
        assert await content(store, key) == b"object"
    assert list(await store.parts(f"{key}.1", other)) == []
    await store.discard(f"{key}.1")


async def test_a_copy_and_its_source_have_nothing_to_do_with_each_other(store, key):
    copies = [new_key() for _ in range(3)]
    try:
        await store.put(key, b"bytes", TYPE)
        await store.copy(key, copies[0])
        await store.copy(key, copies[0])
        await store.put(copies[1], b"replaced", TYPE)
        await store.copy(copies[0], copies[1])
        await store.put(key, b"others", TYPE)
        assert [await content(store, one) for one in (key, *copies[:2])] == [b"others", b"bytes", b"bytes"]
        await store.discard(key)
        await store.copy(copies[0], copies[2])
        await store.discard(copies[0])
        assert [await store.size(one) for one in (key, *copies)] == [None, None, 5, 5]
        assert await content(store, copies[2]) == b"bytes"
        assert await listed(store, copies[1]) == [(5, True)]
    finally:
        for one in copies:
            await store.discard(one)


async def test_a_copy_of_what_came_in_parts_is_whole(store, key):
    upload, target = await store.begin(key, TYPE), new_key()
    parts = [await store.put_part(key, upload, 1, FULL), await store.put_part(key, upload, 2, b"end")]
    await store.finish(key, upload, parts)
    try:
        await store.copy(key, target)
        await store.discard(key)
        assert await content(store, target, PART_BYTES - 1) == FULL[-1:] + b"end"
    finally:
        await store.discard(target)


async def test_what_is_not_there_cannot_be_copied(store, key):
    target = new_key()
    with pytest.raises(NotFound):
        await store.copy(key, target)
    upload = await store.begin(key, TYPE)
    await store.put_part(key, upload, 1, b"x")
    with pytest.raises(NotFound):
        await store.copy(key, target)
    assert await store.size(target) is None


async def test_a_moved_object_is_at_its_new_key_only_and_moving_it_again_does_nothing(store, key):
    target = new_key()
    await store.put(key, b"content", "text/plain")
    await store.move(key, target)
    assert (await store.size(key), await content(store, target)) == (None, b"content")
    await store.move(key, target)
    assert await content(store, target) == b"content"
    await store.move(target, target)
    assert await content(store, target) == b"content"
    await store.put(key, b"newer", TYPE)
    await store.move(key, target)
    assert (await store.size(key), await content(store, target)) == (None, b"newer")
    await store.discard(target)
    with pytest.raises(NotFound):
        await store.move(key, target)


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/./b",
        "a//b",
        "a/",
        "a\\b",
        "a\0b",
        "a\nb",
        "a b",
        "c/" + "x" * 256,
        "x" * 1025,
        "é/x",
        "a?b",
        "a#b",
    ],
)
async def test_a_key_that_is_none_is_refused_everywhere(store, hostile):
    async def read() -> None:
        await content(store, hostile)

    for attempt in (
        store.begin(hostile, TYPE),
        store.put(hostile, b"", TYPE),
        store.size(hostile),
        read(),
        store.discard(hostile),
        store.abort(hostile),
        store.move(hostile, "a/b"),
        store.move("a/b", hostile),
        store.parts(hostile, "x"),
        store.copy(hostile, "a/b"),
    ):
        with pytest.raises(InvalidInput):
            await attempt


async def test_a_store_that_is_away_says_so_and_is_back_later(files, store, key):
    await store.put(key, b"content", TYPE)
    upload = await store.begin(key, TYPE)
    await files.off()
    try:
        attempts = (
            store.begin(key, TYPE),
            store.put_part(key, upload, 1, b"x"),
            store.parts(key, upload),
            store.finish(key, upload, [Part(1, 1, "0" * 32)]),
            store.put(key, b"", TYPE),
            store.size(key),
            content(store, key),
            store.move(key, new_key()),
            store.discard(key),
            store.abort(key),
            listed(store, key),
            store.ping(),
            store.copy(key, new_key()),
        )
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [FileStoreUnavailable] * len(attempts), outcomes
    finally:
        await files.on()
    await store.ping()
    assert await content(store, key) == b"content"
    assert list(await store.parts(key, upload)) == []
