"""`replay repair`: rows and the table as the log has them, while the system runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from app.kafka.codec import encode
from app.replay.entries import LogRecord
from app.replay.repair import Repaired, repair_rows, repair_table
from domain.ports import MirrorEntry
from domain.records import MessageAccepted, StatusChanged
from storage.cassandra.facts import encode_fact

AT = 1_763_848_800_000
MESSAGE = MessageAccepted("m-1", "c-1", "ana", "whatsapp:+5511999990000", "hi")


def fact(word: str, at: int, message_id: str = "m-1") -> StatusChanged:
    return StatusChanged(message_id, "c-1", word, AT + at, AT, 0, "whatsapp", 1)


class Log:
    """A log that may grow between two readings."""

    def __init__(self) -> None:
        self.records = [LogRecord("messages", 0, 0, AT, b"c-1", encode(MESSAGE))]
        self.late: list[LogRecord] = []
        for n, one in enumerate([fact("SENT", 5), fact("READ", 9), fact("SENT", 7, "m-2")]):
            self.add(n, one)

    def add(self, offset: int, one: StatusChanged) -> None:
        self.records.append(LogRecord("status-updates", 0, offset, one.at_ms + 1, b"c-1", encode(one)))

    async def read(self) -> AsyncIterator[LogRecord]:
        for record in [*self.records, LogRecord("messages", 0, 9, AT, b"c-1", b"{")]:
            yield record
        self.records += self.late
        self.late = []


class Rows:
    """``RowRepair`` over a dict of texts."""

    def __init__(self, texts: set[str]) -> None:
        self.texts = texts
        self.message: MessageAccepted | None = None

    async def facts_now(self, entry: MirrorEntry) -> set[str]:
        return set(self.texts)

    async def rewrite(self, entries: Sequence[MirrorEntry]) -> None:
        for entry in entries:
            self.message = entry.message
            self.texts |= {encode_fact(one) for one in entry.facts}

    async def remove(self, entry: MirrorEntry, texts: set[str]) -> int:
        surplus = texts - {encode_fact(one) for one in entry.facts}
        self.texts -= surplus
        return len(surplus)


EXPECTED = {
    f'["SENT",{AT + 5},1,null,null,null,null,1,1]',
    f'["READ",{AT + 9},1,null,null,null,null,1,1]',
}
BOGUS = f'["FAILED",{AT + 1},9,null,"by-hand"]'


async def test_a_row_gets_what_it_lost_and_loses_what_the_log_does_not_have() -> None:
    rows = Rows({BOGUS})
    done = await repair_rows({"m-1"}, Log().read, rows, is_whole=True)
    assert rows.texts == EXPECTED
    assert rows.message == MESSAGE
    assert done == Repaired(rows=1, removed=1)


async def test_what_was_mirrored_meanwhile_stays() -> None:
    log = Log()
    late = fact("DELIVERED", 8)
    log.late = [LogRecord("status-updates", 0, 9, late.at_ms + 1, b"c-1", encode(late))]
    text = f'["DELIVERED",{AT + 8},1,null,null,null,null,1,1]'
    rows = Rows({text})  # the mirror wrote it after the first reading
    await repair_rows({"m-1"}, log.read, rows, is_whole=True)
    assert rows.texts == EXPECTED | {text}


async def test_no_fact_leaves_a_row_if_the_log_has_lost_some() -> None:
    rows = Rows({BOGUS})
    await repair_rows({"m-1"}, Log().read, rows, is_whole=False)
    assert rows.texts == EXPECTED | {BOGUS}


async def test_the_table_is_healed_by_its_own_writer_with_the_facts_again() -> None:
    log, again = Log(), []

    async def append(record: LogRecord) -> None:
        again.append((record.topic, record.partition, record.value))

    done = await repair_table({"m-1", "m-gone"}, log.read, append)
    assert [value for _, _, value in again] == [encode(fact("SENT", 5)), encode(fact("READ", 9))]
    assert {topic for topic, _, _ in again} == {"status-updates"}
    assert done == Repaired(facts=2, unknown=1)
