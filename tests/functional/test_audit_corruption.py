"""A planted corruption of each view is found by the audit, and named: the message, its records, the likely cause.

The log is read in one piece and in buckets; both find the same.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agents.facts import read_fact
from app.audit import Report, Views, witnessed
from app.audit_books import Books, EntryKind, PartitionFacts, books_of
from app.audit_rules import Difference, History, compare, compare_ids
from app.audit_spill import Entry
from app.audit_witnesses import MOST_TAKEN, LiveFrames, ProviderTruth
from app.kafka.codec import encode
from domain.correlation import token_of
from domain.errors import InvalidInput
from domain.ports import LogPosition, MirrorEntry
from domain.records import DeliveryRequested, MessageAccepted, StatusChanged
from domain.status import MessageState, fact_in, fold
from fakes.stores import MemoryMessages
from tables.loaders import LOADERS
from tables.message_state import Row, dump

AT = 1_763_848_800_000
COUNT = 60
WORDS = ("ACCEPTED", "SENT", "DELIVERED", "READ")
BAD = "m-7"


class World:
    """Sixty messages that went all the way: the log, the table, Cassandra, a follower's frames, the provider's list."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.store = MemoryMessages()
        self.frames: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.mirrored: list[MirrorEntry] = []
        for number in range(COUNT):
            self._message(number)

    def _message(self, number: int) -> None:
        message_id, conversation_id, at = f"m-{number}", f"c-{number % 13}", AT + number * 1_000
        message = MessageAccepted(message_id, conversation_id, "ana", "whatsapp:+5511999990000", f"hi {number}")
        key = conversation_id.encode()
        self.entries.append(Entry(EntryKind.MESSAGE, number, at, key, encode(message)))
        entry = MirrorEntry(message_id, conversation_id, LogPosition(at, number), message)
        state, facts = MessageState(), []
        for n, word in enumerate(WORDS):
            change = StatusChanged(
                message_id, conversation_id, word, at + n, at, number, "whatsapp", min(n, 1), f"sim.{number}"
            )
            self.entries.append(Entry(EntryKind.FACT, 4 * number + n, at + n, key, encode(change)))
            facts.append(read_fact(encode(change), at + n)[1])
            state = fold([fact_in(change)], state)  # type: ignore[assignment]
            row = dump(Row(state, conversation_id, "whatsapp"))
            self.entries.append(Entry(EntryKind.ROW, 4 * number + n, at + n, message_id.encode(), row))
            self.frames.append(
                {"type": "status", "message_id": message_id, "conversation_id": conversation_id, "status": word}
            )
        entry.facts = facts
        self.mirrored.append(entry)
        self.frames.append(
            {"type": "new_message", "message_id": message_id, "conversation_id": conversation_id, "timestamp": at}
        )
        self.taken.append({"number": number + 1, "token": message_id, "at_ms": at})

    async def audit(self, most_records: int, folder: Path | None = None) -> list[Difference]:
        """Compare as ``app.audit.audit`` does, with the fake in Cassandra's place."""
        await self.store.write(self.mirrored)
        self.entries.sort(key=lambda entry: entry.kind)
        facts = PartitionFacts(3, 0, len(self.entries), 216.0)
        views = Views(LiveFrames.of(self.frames), ProviderTruth.of(self.taken, ["whatsapp"]))
        report = Report()
        make = partial(Books, facts, (), LOADERS, ())
        async for books in books_of(facts, self._read(), make, LOADERS, folder=folder, most_records=most_records):
            history = books.history
            found = list(history.table_differences(0))
            for conversation_id in sorted(history.conversations()):
                stored = await self.store.list(conversation_id, after=None, limit=1_000, descending=False)
                history.check_off(row.message.message_id for row in stored)
                found += compare(history, stored)
            found += history.missing()
            by_id = {row.message_id: (row.conversation_id, row.position) for row in self.mirrored}
            found += compare_ids(history, list(history.accepted), by_id)
            for difference in [*found, *witnessed(views, history)]:
                report.add(difference, history, 100)
        assert views.provider is not None
        for difference in views.provider.rest():
            report.add(difference, None, 100)
        return report.differences

    async def _read(self) -> AsyncIterator[Entry]:
        for entry in self.entries:
            yield entry


BOTH = pytest.mark.parametrize("most_records", [10_000, 40], ids=["in memory", "in buckets"])


def told(differences: Sequence[Difference]) -> tuple[str, str]:
    """The only difference: its view and its message; its records and a cause are named."""
    (found,) = differences
    assert found.cause, found
    return found.view, found.message_id


@BOTH
async def test_views_that_agree_have_no_difference(most_records: int, tmp_path: Path) -> None:
    assert await World().audit(most_records, tmp_path) == []
    assert os.listdir(tmp_path) == []


@BOTH
async def test_a_row_changed_in_cassandra_by_hand_is_named(most_records: int, tmp_path: Path) -> None:
    world = World()
    entry = world.mirrored[7]
    assert entry.message is not None
    entry.message = replace(entry.message, content="something else")
    found = await world.audit(most_records, tmp_path)
    assert told(found) == ("cassandra", BAD)
    assert "'something else', sent was 'hi 7'" in found[0].detail
    assert found[0].where == "messages[3]@7 status-updates[3]@28,29,30,31"
    assert "changed by hand" in found[0].cause


@BOTH
async def test_a_fact_lost_in_cassandra_is_named(most_records: int, tmp_path: Path) -> None:
    world = World()
    world.mirrored[7].facts.pop()
    assert told(await world.audit(most_records, tmp_path)) == ("cassandra", BAD)


@BOTH
async def test_a_fact_dropped_from_a_changelog_is_named(most_records: int, tmp_path: Path) -> None:
    world = World()
    newest = max(e.offset for e in world.entries if e.kind == EntryKind.ROW and e.key == BAD.encode())
    world.entries = [e for e in world.entries if not (e.kind == EntryKind.ROW and e.offset == newest)]
    found = await world.audit(most_records, tmp_path)
    assert told(found) == ("table", BAD)
    assert "read_at_ms" in found[0].detail
    assert "repair table" in found[0].cause


@BOTH
async def test_a_row_deleted_from_a_changelog_is_named(most_records: int, tmp_path: Path) -> None:
    world = World()
    world.entries.append(Entry(EntryKind.ROW, 10_000, AT, BAD.encode(), None))
    assert told(await world.audit(most_records, tmp_path)) == ("table", BAD)


@BOTH
@pytest.mark.parametrize("withheld", ["new_message", "status"])
async def test_a_withheld_frame_is_named(most_records: int, withheld: str, tmp_path: Path) -> None:
    world = World()
    world.frames = [
        frame
        for frame in world.frames
        if not (frame["message_id"] == BAD and frame["type"] == withheld and frame.get("status", "READ") == "READ")
    ]
    found = await world.audit(most_records, tmp_path)
    assert told(found) == ("live", BAD)
    assert found[0].where.startswith("messages[3]@7 ")


@BOTH
async def test_a_providers_count_off_by_one_is_named_in_each_direction(most_records: int, tmp_path: Path) -> None:
    missing, twice, foreign = World(), World(), World()
    del missing.taken[7]
    twice.taken.append({"number": COUNT + 1, "token": BAD, "at_ms": AT})
    foreign.taken.append({"number": COUNT + 1, "token": "m-999", "at_ms": AT})
    for world, message_id, words in (
        (missing, BAD, "did not take it"),
        (twice, BAD, "taken 2 times"),
        (foreign, "m-999", "is not on `messages`"),
    ):
        found = await world.audit(most_records, tmp_path)
        assert told(found) == ("provider", message_id)
        assert words in found[0].detail


async def test_what_the_provider_has_forgotten_is_not_missing() -> None:
    world = World()
    world.taken = world.taken[30:]  # its list begins with number 31
    assert await world.audit(10_000) == []


def test_too_long_a_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.audit_witnesses.MOST_TAKEN", 2)
    monkeypatch.setattr("app.audit_witnesses.MOST_FRAMES", 2)
    assert MOST_TAKEN > 2
    world = World()
    with pytest.raises(InvalidInput, match="audit it more often"):
        ProviderTruth.of(world.taken, ["whatsapp"])
    with pytest.raises(InvalidInput, match="shorter span"):
        LiveFrames.of(world.frames)


def test_a_failure_of_what_the_provider_took_is_named_until_a_receipt_heals_it() -> None:
    message = MessageAccepted("m-1", "c-1", "ana", "whatsapp:+5511999990000", "hi")
    history = History(0)
    history.add_message(encode(message), LogPosition(AT, 0))
    failed = StatusChanged("m-1", "c-1", "FAILED", AT + 9, AT, 0, "whatsapp", 1, None, "outcome-unknown")
    history.add_fact(encode(failed), AT + 9, 0)
    taken = [{"number": 1, "token": "m-1", "at_ms": AT}]
    (found,) = ProviderTruth.of(taken, ["whatsapp"]).differences(history)
    assert found.detail == "is FAILED (outcome-unknown), and the provider took it"
    healed = StatusChanged("m-1", "c-1", "READ", AT + 20, AT, 0, "whatsapp", 1)
    history.add_fact(encode(healed), AT + 20, 1)
    assert list(ProviderTruth.of(taken, ["whatsapp"]).differences(history)) == []


@pytest.mark.parametrize("shared", [False, True])
def test_the_tokens_of_a_real_channel_name_the_delivery_and_later_parts_are_no_copies(shared: bool) -> None:
    address = "whatsapp:+5511999990000"
    request = DeliveryRequested("m-1", "c-1", "ana", address, "hi", None, 100, 0, recipient_count=2 if shared else 1)
    taken = [{"token": token_of(request, part), "number": part} for part in (1, 2)]
    assert ProviderTruth.of(taken, ["whatsapp"]).taken == {f"m-1 {address}" if shared else "m-1": 1}
