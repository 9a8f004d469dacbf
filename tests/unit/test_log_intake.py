"""Facts that nobody wants stay unread, and nobody can tell the difference."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kafka.codec import encode
from domain.records import MessageAccepted, StatusChanged
from domain.status import SharedState, State, Status
from web.history.log_intake import LogIntake
from web.history.published_state import PublishedState
from web.history.recent import Recent, RecentMessages
from web.history.unread_facts import MOST_UNREAD

LIMIT = 4
IDS = [f"m-{n}" for n in range(LIMIT + 3)]


class Heard:
    """Wants the conversations in ``wanted``. ``words``: each new status of each message, however it was told."""

    def __init__(self, wanted: set[str]) -> None:
        self.wanted = wanted
        self.words: list[tuple[str, int, int]] = []
        self.changes: list[tuple[str, str]] = []

    def on_message(self, *_: Any) -> None:
        pass

    def wants(self, conversation_id: str) -> bool:
        return conversation_id in self.wanted

    def on_unread(self, status: Status, accepted_at_ms: int, logged_at_ms: int) -> None:
        self.words.append((status, accepted_at_ms, logged_at_ms))

    def on_status(
        self, partition: int, offset: int, change: StatusChanged, published: PublishedState, logged_at_ms: int
    ) -> None:
        self.words.append((published.state.status, change.accepted_at_ms, logged_at_ms))
        self.changes.append((change.message_id, str(published.state.status)))


class Reading:
    """One API process's memory of the log."""

    def __init__(self, wanted: set[str]) -> None:
        self.recent = RecentMessages(LIMIT)
        self.intake = LogIntake(self.recent)
        self.intake.listener = self.heard = Heard(wanted)  # type: ignore[assignment]
        self.offsets = {"messages": 0, "status-updates": 0}
        self.seen: list[State | None] = []

    def record(self, topic: str, value: bytes) -> Any:
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        return SimpleNamespace(topic=topic, partition=0, offset=offset, value=value, timestamp=1_000 + offset)

    def message(self, number: int, recipients: int) -> None:
        addresses = tuple(f"telegram:{n}" for n in range(recipients)) if recipients > 1 else ()
        message = MessageAccepted(IDS[number], f"c-{number % 2}", "u-1", "telegram:5", "hi", None, addresses, addresses)
        self.intake.take_messages([self.record("messages", encode(message))])

    def facts(self, changes: list[StatusChanged]) -> None:
        self.intake.take_facts([self.record("status-updates", encode(change)) for change in changes])

    def everything(self) -> Any:
        entries = [(id, self.recent.get(id)) for id in IDS]
        return [
            (id, e and (e.message, e.state, e.complete, e.position, e.partition, e.last_fact, e.last_published))
            for id, e in entries
        ]


def change(number: int, word: str, *, at_ms: int = 7, address: str = "", count: int = 1) -> StatusChanged:
    code = "blocked" if word == "FAILED" else None
    return StatusChanged(
        IDS[number], f"c-{number % 2}", word, at_ms, number, number, "telegram", 1, None, code, None, address, count
    )


def state_now(known: Recent | None) -> State | None:
    state = None if known is None else known.state
    return state.copy() if isinstance(state, SharedState) else state


numbers = st.integers(0, len(IDS) - 1)
words = [*map(str, Status)]
plain = st.builds(change, numbers, st.sampled_from(words * 3 + ["NEVER"]), at_ms=st.integers(0, 9))
of_several = st.builds(
    change, numbers, st.sampled_from(words), address=st.sampled_from(["telegram:0", ""]), count=st.just(2)
)
changes = plain | of_several
steps = st.one_of(
    st.tuples(st.just("message"), numbers, st.sampled_from([1, 1, 1, 2])),
    st.tuples(st.just("facts"), st.lists(changes, max_size=6)),
    st.tuples(st.just("own"), changes.filter(lambda one: one.status != "NEVER")),
    st.tuples(st.just("get"), numbers),
    st.tuples(st.just("page"), st.integers(0, 1)),
    st.tuples(st.just("wanted"), st.sets(st.sampled_from(["c-0", "c-1"]))),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=40))
def test_memory_and_counts_are_those_of_a_process_that_reads_everything(todo: list[Any]) -> None:
    reads, keeps = Reading({"c-0", "c-1"}), Reading(set())
    for word, *values in todo:
        for one in (reads, keeps):
            if word == "message":
                one.message(*values)
            elif word == "facts":
                one.facts(*values)
            elif word == "own":
                one.recent.add_fact(values[0])
            elif word == "get":
                one.seen.append(state_now(one.recent.get(IDS[values[0]])))
            elif word == "page":
                page = one.recent.page(f"c-{values[0]}", after=None, limit=9, descending=False)
                one.seen += map(state_now, page)
            elif one is keeps:
                one.heard.wanted = values[0]
    assert sorted(keeps.heard.words) == sorted(reads.heard.words)
    assert keeps.seen == reads.seen
    assert keeps.recent.gaps.of(0) == reads.recent.gaps.of(0)
    assert keeps.everything() == reads.everything()
    assert keeps.recent.held_bytes == reads.recent.held_bytes


def test_what_nobody_wants_is_not_decoded_and_who_asks_gets_it_whole() -> None:
    one = Reading(set())
    one.message(0, 1)
    one.facts([change(0, "ACCEPTED"), change(0, "SENT", at_ms=8), change(0, "READ", at_ms=9)])
    assert len(one.recent._by_id["m-0"].unread) == 9
    assert [word for word, *_ in one.heard.words] == ["SENT", "READ"]
    known = one.recent.get("m-0")
    assert known is not None
    assert (known.unread, known.state.status, known.state.sent_at_ms) == ((), "READ", 8)  # type: ignore[union-attr]
    one.message(2, 1)
    one.facts([change(2, "SENT")])
    paged = one.recent.page("c-0", after=None, limit=9, descending=True)
    assert [entry.state.status for entry in paged] == ["SENT", "READ"]


def test_who_connects_in_the_middle_hears_of_the_next_change_and_of_none_twice() -> None:
    one = Reading(set())
    one.message(0, 1)
    one.facts([change(0, "SENT")])
    one.heard.wanted = {"c-0"}
    one.facts([change(0, "SENT"), change(0, "DELIVERED"), change(0, "SENT")])
    assert one.heard.changes == [("m-0", "DELIVERED")]


def test_a_failure_is_read_as_it_comes_after_what_was_kept() -> None:
    one = Reading(set())
    one.message(0, 1)
    one.facts([change(0, "ACCEPTED"), change(0, "FAILED", at_ms=9)])
    assert one.heard.changes == [("m-0", "FAILED")]
    assert one.recent._by_id["m-0"].unread == ()


def test_facts_kept_of_one_message_have_a_bound_in_number_and_in_bytes() -> None:
    one = Reading(set())
    one.message(0, 1)
    before = one.recent.held_bytes
    one.facts([change(0, "SENT")] * MOST_UNREAD)
    assert one.recent.held_bytes > before + 100 * MOST_UNREAD
    one.facts([change(0, "SENT")])
    assert one.recent._by_id["m-0"].unread == ()
    assert one.recent.held_bytes < before + 300
    small = Reading(set())
    small.recent._max_bytes = 5_000
    for number in range(LIMIT):
        small.message(number, 1)
        small.facts([change(number, "SENT")] * 8)
    assert small.recent.held_bytes <= 5_000
    assert 0 < len(small.recent) < LIMIT


def test_a_kept_fact_that_cannot_be_read_is_named_and_the_others_count(caplog: pytest.LogCaptureFixture) -> None:
    one = Reading(set())
    one.message(0, 1)
    broken = encode(change(0, "READ")).replace(b'"attempt":1', b'"attempt":[]')
    foreign = encode(change(0, "READ"))[:-1] + b',"status":"NEVER"}'
    values = (encode(change(0, "SENT")), broken, foreign, encode(change(0, "DELIVERED")))
    one.intake.take_facts([one.record("status-updates", value) for value in values])
    with caplog.at_level(logging.WARNING):
        known = one.recent.get("m-0")
    assert known is not None
    assert known.state.status == "DELIVERED"
    assert "status-updates[0]@1 skipped" in caplog.text
    assert "status-updates[0]@2 skipped: unknown status 'NEVER'" in caplog.text
