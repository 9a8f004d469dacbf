"""The memory of recent messages is bounded by what it really takes, as ``tracemalloc`` finds it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.kafka.codec import encode
from domain.files import FileMetadata
from domain.ids import uuid7
from domain.ports import LogPosition
from domain.records import MessageAccepted, StatusChanged
from web.history.log_intake import LogIntake
from web.history.recent import MAX_BYTES, RecentMessages

NOW_MS = 1_763_848_800_000
ASCII, PORTUGUESE, EMOJI = "See you at eight. ", "Até às oito, então. ", "👋🏽 see you "


@pytest.fixture(scope="module", autouse=True)
def _collections_are_short() -> None:
    """Let the collections of garbage below pass over all that other tests left behind."""
    gc.collect()
    gc.freeze()


def id_of(number: int) -> str:
    return uuid7(NOW_MS + number, number.to_bytes(10, "big"))


def audience(first: int, size: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    users = [id_of(first + n) for n in range(size)]
    addresses = (f"internal:{user}" if n % 2 else f"whatsapp:+55119{n:08d}" for n, user in enumerate(users))
    return tuple(addresses), tuple(users)


def message(number: int, content: str, size: int, of_group: int, file: FileMetadata | None = None) -> MessageAccepted:
    recipients, users = audience(1_000_000 * (1 + of_group), size) if size > 1 else ((), ())
    named = "" if recipients else f"telegram:{number}"
    return MessageAccepted(
        id_of(number),
        f"conversation-{number % 100}",
        id_of(900_000 + number),
        named,
        content,
        None if file is None else id_of(700_000 + number),
        recipients,
        users,
        file and copied(file),
    )


def from_a_person(number: int) -> MessageAccepted:
    """A message with a body and with texts that most messages lack."""
    return replace(
        message(number, ASCII, 1, 1),
        kind="template",
        body={"name": f"order_{number}", "values": [f"value {number}-{n}" for n in range(5)]},
        reply_to=id_of(number + 1),
        target_id=f"wamid.{number}",
        sender_name=f"Maria {number}",
        provider_id=f"wamid.{number:032d}",
        members=(id_of(number + 2), id_of(number + 3)),
    )


def copied(file: FileMetadata) -> FileMetadata:
    texts = {name: str(getattr(file, name).encode(), "ascii") for name in ("filename", "mimetype", "checksum")}
    return replace(file, **texts, storage_path=str(file.storage_path.encode(), "ascii"))


def story(accepted: MessageAccepted, position: LogPosition, words: Iterable[str]) -> Iterator[StatusChanged]:
    count = len(accepted.targets)
    for step, word in enumerate(words):
        for address in accepted.targets:
            yield StatusChanged(
                str(accepted.message_id.encode(), "ascii"),
                str(accepted.conversation_id.encode(), "ascii"),
                word,
                NOW_MS + 60_000 * step + position.offset,
                position.accepted_at_ms,
                position.offset,
                "whatsapp",
                1,
                f"provider-{position.offset}",
                *(("blocked", f"they said no, {position.offset}, and why") if word == "FAILED" else (None, None)),
                recipient_id=str(address.encode(), "ascii") if count > 1 else "",
                recipient_count=count,
            )


def fill(recent: RecentMessages, made: Iterable[MessageAccepted], words: Iterable[str], *, facts_first: bool) -> None:
    for number, accepted in enumerate(made):
        position = LogPosition(NOW_MS + number, 5_000 + number)
        if not facts_first:
            recent.add_message(accepted, position, 0)
        for n, change in enumerate(story(accepted, position, words)):
            recent.add_logged_fact(change, 0, 1_000 * number + n)
        if facts_first:
            recent.add_message(accepted, position, 0)


FILE = FileMetadata("holiday.jpg", 182_044, "image/jpeg", "sha256:" + "e" * 64, f"family/{id_of(3)}.jpg")
ALL_READ = ("ACCEPTED", "SENT", "DELIVERED", "READ")


@pytest.mark.parametrize("facts_first", [False, True], ids=["in order", "facts first"])
@pytest.mark.parametrize(
    ("count", "content", "size", "groups", "words", "file"),
    [
        pytest.param(1_000, ASCII, 1, 1, ALL_READ, None, id="to one, read"),
        pytest.param(1_000, ASCII, 1, 1, (), None, id="to one, nothing known"),
        pytest.param(1_000, ASCII, 1, 1, ("ACCEPTED", "FAILED"), None, id="to one, failed"),
        pytest.param(500, PORTUGUESE * 50, 1, 1, ALL_READ, None, id="to one, a long text"),
        pytest.param(500, EMOJI * 50, 1, 1, ALL_READ, None, id="to one, emoji"),
        pytest.param(500, ASCII, 1, 1, ALL_READ, FILE, id="to one, a file"),
        pytest.param(10, ASCII, 256, 10, ALL_READ[1:], None, id="to 256, another 256 each time"),
        pytest.param(10, ASCII, 256, 10, ("FAILED",), None, id="to 256, failed for all"),
        pytest.param(15, ASCII, 256, 1, ALL_READ[1:], None, id="to the same 256"),
        pytest.param(15, ASCII, 256, 1, ("FAILED",), None, id="to the same 256, failed for all"),
        pytest.param(200, ASCII, 3, 200, ALL_READ[1:], None, id="to three"),
    ],
)
def test_what_is_counted_is_within_a_fifth_of_what_is_held(
    count: int,
    content: str,
    size: int,
    groups: int,
    words: tuple[str, ...],
    file: FileMetadata | None,
    facts_first: bool,
) -> None:
    fill(RecentMessages(1_000_000), [message(0, content, size, 0, file)], words, facts_first=facts_first)
    gc.collect()
    tracemalloc.start()
    try:
        recent = RecentMessages(1_000_000)
        # each text of its own, as they come from the network
        made = (message(n, f"{n}{content}", size, n % groups, file) for n in range(count))
        fill(recent, made, words, facts_first=facts_first)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(recent) == count
    assert recent.held_bytes == pytest.approx(held, rel=0.2)


def test_a_body_and_optional_texts_are_counted_too() -> None:
    fill(RecentMessages(1_000_000), map(from_a_person, range(3)), (), facts_first=False)  # what is made once is made
    gc.collect()
    tracemalloc.start()
    try:
        recent = RecentMessages(1_000_000)
        fill(recent, map(from_a_person, range(300)), (), facts_first=False)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert recent.held_bytes == pytest.approx(held, rel=0.2)


def test_facts_that_nobody_has_read_are_counted_too() -> None:
    def keep(recent: RecentMessages, count: int) -> None:
        intake = LogIntake(recent)
        for number in range(count):
            accepted, position = message(number, ASCII, 1, 1), LogPosition(NOW_MS + number, 5_000 + number)
            recent.add_message(accepted, position, 0)
            for n, one in enumerate(story(accepted, position, ALL_READ)):
                at, value = 1_000 * number + n, bytes(bytearray(encode(one)))  # as long as a fetch makes it
                intake.take_facts([SimpleNamespace(value=value, timestamp=NOW_MS + at, partition=0, offset=at)])

    keep(RecentMessages(1_000_000), 1)
    gc.collect()
    tracemalloc.start()
    try:
        recent = RecentMessages(1_000_000)
        keep(recent, 1_000)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert recent.held_bytes == pytest.approx(held, rel=0.2)


def test_what_leaves_is_counted_down_to_nothing() -> None:
    recent = RecentMessages(1_000)
    made = [message(n, ASCII, size, n % 2) for n, size in enumerate([1, 3, 256, 256, 1, 256])]
    fill(recent, made, ("ACCEPTED", "SENT", "FAILED", "READ"), facts_first=False)
    fill(recent, [message(77, ASCII, 3, 5)], ("FAILED",), facts_first=True)
    recent._limit = 0
    recent._make_room()
    assert (len(recent), recent.held_bytes, len(recent._rosters), recent._conversations) == (0, 0, 0, {})


def test_messages_to_many_leave_by_what_is_known_of_each_recipient() -> None:
    recent = RecentMessages(1_000_000, max_bytes=1_000_000)
    fill(recent, (message(n, ASCII, 256, n) for n in range(60)), ALL_READ[1:], facts_first=False)
    assert 5 < len(recent) < 40
    assert recent.held_bytes <= 1_000_000


def test_two_hundred_thousand_short_messages_fit() -> None:
    recent = RecentMessages(1_000_000)
    fill(recent, (message(n, ASCII, 1, 1) for n in range(1_000)), ALL_READ, facts_first=False)
    assert recent.held_bytes * 200 < MAX_BYTES
