"""The cache of recent messages against a plain list, and the merging of views."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import keyed_id
from domain.ports import LogPosition, StoredMessage
from domain.records import MessageAccepted, StatusChanged
from domain.status import UNKNOWN, Fact, State, Status, facts_of, fold, joined
from web.history.cursor import HISTORY_CURSOR
from web.history.merge import merge_page
from web.history.recent import Recent, RecentMessages

KEYED_ID = keyed_id("u-1", "key")

# few times and many positions: most of a real batch shares one append time; and the broker's clock steps back
TIMES_MS = [0, 0, 1, 1, 2, 0, 0, 1, 5, 5, 5, 4, 4]
POSITIONS = st.integers(0, 40).map(lambda position: LogPosition(TIMES_MS[position % len(TIMES_MS)], position))
FACTS = st.builds(
    Fact,
    st.sampled_from(list(Status)),
    st.integers(1, 9),
    st.integers(0, 3),
    st.none() | st.sampled_from(["p-1", "p-2"]),
    st.none() | st.sampled_from(["unreachable", "refused"]),
    st.none() | st.just("why"),
)
SHARED = st.builds(
    lambda fact, address: replace(fact, recipient_id=address, recipient_count=3),
    FACTS,
    st.sampled_from(["", "telegram:5", "internal:u-2"]),
)
SOME_FACTS = st.lists(FACTS, max_size=8) | st.lists(SHARED, max_size=8) | st.lists(FACTS | SHARED, max_size=8)


def message_at(position: LogPosition, conversation_id: str = "c-1") -> MessageAccepted:
    name = f"{conversation_id}/{position.accepted_at_ms}/{position.offset}"
    return MessageAccepted(name, conversation_id, "u-1", "telegram:5", "hi")


def change_of(position: LogPosition, status: str, at_ms: int = 7) -> StatusChanged:
    message = message_at(position)
    return StatusChanged(
        message.message_id, "c-1", status, at_ms, position.accepted_at_ms, position.offset, "telegram", 1
    )


@given(
    positions=st.lists(POSITIONS, max_size=60),
    limit=st.integers(1, 50),
    page_size=st.integers(1, 7),
    descending=st.booleans(),
    after=st.none() | POSITIONS,
)
def test_a_page_is_what_a_sorted_list_of_the_newest_would_give(
    positions: list[LogPosition], limit: int, page_size: int, descending: bool, after: LogPosition | None
) -> None:
    recent = RecentMessages(limit)
    for position in positions:
        recent.add_message(message_at(position), position, 0)
    kept: list[LogPosition] = []
    for position in positions:
        if position not in kept:
            kept = [*kept, position][-limit:]
    expected = sorted(kept, reverse=descending)
    if after is not None:
        expected = [position for position in expected if (position < after if descending else position > after)]
    found = recent.page("c-1", after=after, limit=page_size, descending=descending)
    assert [entry.position for entry in found] == expected[:page_size]
    assert len(recent) == len(kept)


@given(st.lists(st.tuples(POSITIONS, st.sampled_from(["c-1", "c-2", "c-3"])), max_size=80), st.integers(1, 20))
def test_what_was_evicted_leaves_nothing_behind(added: list[tuple[LogPosition, str]], limit: int) -> None:
    recent = RecentMessages(limit)
    for position, conversation_id in added:
        recent.add_message(message_at(position, conversation_id), position, 0)
    listed = [
        entry
        for conversation_id in ("c-1", "c-2", "c-3")
        for entry in recent.page(conversation_id, after=None, limit=100, descending=False)
    ]
    assert len(listed) == len(recent) <= limit
    assert set(recent._conversations) == {entry.conversation_id for entry in listed}


def test_large_messages_leave_by_their_bytes() -> None:
    recent = RecentMessages(1_000, max_bytes=100_000)
    for position in range(5):
        message = MessageAccepted(f"m-{position}", "c-1", "u-1", "telegram:5", "x" * 40_000)
        recent.add_message(message, LogPosition(1, position), 0)
    assert [entry.position.offset for entry in recent.page("c-1", after=None, limit=9, descending=False)] == [3, 4]


def test_long_timelines_stay_right_while_their_front_is_cut_off() -> None:
    recent = RecentMessages(700)
    for position in range(5_000):
        recent.add_message(message_at(LogPosition(1, position)), LogPosition(1, position), 0)
        if position % 331 == 0:
            first = recent.page("c-1", after=None, limit=1, descending=False)
            assert first[0].position.offset == max(0, position - 699)
    newest = recent.page("c-1", after=LogPosition(1, 4_998), limit=9, descending=False)
    assert [entry.position.offset for entry in newest] == [4_999]


def test_facts_may_come_before_their_message() -> None:
    recent = RecentMessages(10)
    position = LogPosition(1, 1)
    recent.add_fact(change_of(position, "SENT"))
    assert recent.page("c-1", after=None, limit=9, descending=False) == []
    recent.add_message(message_at(position), position, 0)
    found = recent.get(message_at(position).message_id)
    assert found is not None
    assert (found.message, found.state.status) == (message_at(position), Status.SENT)
    assert [entry.position for entry in recent.page("c-1", after=None, limit=9, descending=False)] == [position]


def test_facts_of_a_repetition_do_not_place_the_message() -> None:
    recent = RecentMessages(10)
    first, second = LogPosition(1, 1), LogPosition(1, 7)
    message = replace(message_at(first), message_id=KEYED_ID)
    recent.add_fact(replace(change_of(second, "SENT"), message_id=KEYED_ID))
    for position in (first, second):
        recent.add_message(message, position, 0)
    assert [entry.position for entry in recent.page("c-1", after=None, limit=9, descending=False)] == [first]
    recent.add_message(message_at(LogPosition(1, 9)), LogPosition(1, 9), 0)
    recent._limit = 1
    recent._make_room()
    assert [entry.position for entry in recent.page("c-1", after=None, limit=9, descending=False)] == [
        LogPosition(1, 9)
    ]


@given(st.lists(POSITIONS, unique=True, min_size=1, max_size=30), st.data())
def test_a_message_moved_up_is_listed_once_where_it_was_first(
    positions: list[LogPosition], data: st.DataObject
) -> None:
    recent = RecentMessages(100)
    for position in positions:
        recent.add_message(message_at(position), position, 0)
    moved = data.draw(st.sampled_from(positions))
    others = {position.offset for position in positions if position != moved}  # a place of the log holds one record
    offset = data.draw(st.integers(-41, 50).filter(lambda offset: offset not in others))
    target = LogPosition(moved.accepted_at_ms, offset)
    recent.move_up(message_at(moved).message_id, target)
    recent.move_up("unknown", target)
    expected = sorted([*(position for position in positions if position != moved), min(moved, target)])
    found = recent.page("c-1", after=None, limit=100, descending=False)
    assert [entry.position for entry in found] == expected
    assert len(recent) == len(positions)


def test_only_what_may_be_a_repetition_is_unsettled() -> None:
    recent = RecentMessages(10)
    recent.add_message(message_at(LogPosition(1, 1)), LogPosition(1, 1), 0)
    recent.add_message(replace(message_at(LogPosition(1, 2)), message_id=KEYED_ID), LogPosition(1, 2), 0)
    found = recent.page("c-1", after=None, limit=9, descending=False)
    assert [entry.is_settled for entry in found] == [True, False]


def test_a_message_is_complete_only_from_where_all_its_facts_are_followed() -> None:
    recent = RecentMessages(10)
    recent.complete_from = {0: 5}
    for partition, position in ((0, 4), (0, 5), (1, 9)):
        recent.add_message(message_at(LogPosition(1, position)), LogPosition(1, position), partition)
    complete = [entry.complete for entry in recent.page("c-1", after=None, limit=9, descending=False)]
    assert complete == [False, True, False]


@given(SOME_FACTS)
def test_the_facts_of_a_state_add_up_to_it(facts: list[Fact]) -> None:
    state = fold(facts)
    assert fold(facts_of(state)) == _normal(state)


@given(SOME_FACTS, SOME_FACTS)
def test_joining_two_states_is_folding_all_their_facts(one: list[Fact], other: list[Fact]) -> None:
    assert _normal(joined(fold(one), fold(other))) == _normal(fold(one + other))
    assert joined(fold(one), UNKNOWN) == fold(one)


def _normal(state: State) -> State:
    """States as facts can say them: what belongs to a word that was never heard is no knowledge."""
    return fold(facts_of(state))


@given(
    positions=st.lists(POSITIONS, unique=True, max_size=40),
    mirrored=st.sets(st.integers(0, 39)),
    cached=st.sets(st.integers(0, 39)),
    limit=st.integers(1, 6),
    descending=st.booleans(),
)
def test_pages_of_two_views_are_pages_of_their_union(
    positions: list[LogPosition], mirrored: set[int], cached: set[int], limit: int, descending: bool
) -> None:
    rows = [StoredMessage(message_at(p), p, UNKNOWN) for i, p in enumerate(positions) if i in mirrored]
    recent = RecentMessages(100)
    for index, position in enumerate(positions):
        if index in cached:
            recent.add_message(message_at(position), position, 0)
    expected = sorted((p for i, p in enumerate(positions) if i in mirrored | cached), reverse=descending)
    seen: list[LogPosition] = []
    after: LogPosition | None = None
    while True:
        stored = [
            row
            for row in sorted(rows, key=lambda row: row.position, reverse=descending)
            if after is None or (row.position < after if descending else row.position > after)
        ]
        fresh: list[Recent] = recent.page("c-1", after=after, limit=limit, descending=descending)
        merging = merge_page(stored[:limit], fresh, recent.get, limit=limit, descending=descending)
        page = asyncio.run(merging)
        seen += [found.position for found in page]
        if len(page) < limit:
            break
        after = HISTORY_CURSOR.decode(HISTORY_CURSOR.encode(page[-1].position))
    assert seen == expected


@given(positions=st.lists(POSITIONS, max_size=60), limit=st.integers(1, 50), after=st.none() | POSITIONS)
def test_the_tail_counts_what_a_plain_list_holds(
    positions: list[LogPosition], limit: int, after: LogPosition | None
) -> None:
    recent = RecentMessages(limit)
    for position in positions:
        recent.add_message(message_at(position), position, 0)
    kept = [entry.position for entry in recent.page("c-1", after=None, limit=100, descending=False)]
    expected = [position for position in kept if after is None or position > after]
    assert recent.tail("c-1", after) == (len(expected), max(kept, default=None))


@given(
    arrivals=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    mirrored=st.lists(st.integers(0, 4), max_size=12),
    limit=st.integers(1, 5),
    descending=st.booleans(),
)
def test_pages_are_stable_while_messages_arrive_and_the_mirror_goes_on(
    arrivals: list[int], mirrored: list[int], limit: int, descending: bool
) -> None:
    """Before each page some messages arrive (always later than all before) and the mirror takes some over.

    Ascending, everything is seen once, what came meanwhile too; descending, what there was when the first page was.
    """
    log: list[LogPosition] = []
    stored = 0
    recent = RecentMessages(100)
    waves, progress = iter(arrivals), iter(mirrored)
    seen: list[LogPosition] = []
    at_first: list[LogPosition] | None = None
    after: LogPosition | None = None
    while True:
        for _ in range(next(waves, 0)):
            position = LogPosition(len(log) // 3, len(log))
            log.append(position)
            recent.add_message(message_at(position), position, 0)
        stored = min(len(log), stored + next(progress, 0))
        at_first = at_first if at_first is not None else list(log)
        rows = [StoredMessage(message_at(position), position, UNKNOWN) for position in log[:stored]]
        rows = [
            row
            for row in (reversed(rows) if descending else rows)
            if after is None or (row.position < after if descending else row.position > after)
        ]
        fresh = recent.page("c-1", after=after, limit=limit + 1, descending=descending)
        page = asyncio.run(merge_page(rows[: limit + 1], fresh, recent.get, limit=limit + 1, descending=descending))
        seen += [found.position for found in page[:limit]]
        if len(page) <= limit:
            break
        after = HISTORY_CURSOR.decode(HISTORY_CURSOR.encode(page[:limit][-1].position))
    assert seen == (at_first[::-1] if descending else log)
