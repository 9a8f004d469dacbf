"""The list of conversations against a plain list, while messages arrive; cursors; and who is let in."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.conversations import without_member
from domain.direct import direct_id
from domain.errors import NotAllowed, StoreUnavailable
from domain.ids import uuid7
from domain.ports import Joined, LogPosition
from fakes.stores import MemoryConversations
from web.conversations.listing import LIST_CURSOR, ConversationCursor, following, ordered
from web.conversations.memberships import Memberships

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
TIMES = st.integers(0, 5)
JOINED = st.lists(st.builds(Joined, NAMES, TIMES), max_size=14)
LAST = st.dictionaries(NAMES, st.builds(LogPosition, TIMES, st.integers(0, 3)))


@given(JOINED, LAST)
def test_each_conversation_is_listed_once_by_its_last_activity(
    joined: list[Joined], last: dict[str, LogPosition]
) -> None:
    plain: dict[str, int] = {}
    for one in joined:
        position = last.get(one.conversation_id)
        plain[one.conversation_id] = max(
            plain.get(one.conversation_id, 0), one.joined_at_ms, position.accepted_at_ms if position else 0
        )
    expected = sorted(plain.items(), key=lambda item: (-item[1], item[0]))
    assert [(found.conversation_id, found.last_ms) for found in ordered(joined, last)] == expected


@given(
    joined=st.lists(st.builds(Joined, NAMES, TIMES), unique_by=lambda one: one.conversation_id, max_size=8),
    last=LAST,
    limit=st.integers(1, 4),
    arrivals=st.lists(st.lists(NAMES, max_size=3), max_size=8),
)
def test_while_messages_arrive_none_is_shown_twice_and_those_that_stay_are_all_shown(
    joined: list[Joined], last: dict[str, LogPosition], limit: int, arrivals: list[list[str]]
) -> None:
    """After each page messages arrive in some conversations, later than all before."""
    now_ms, moved, seen = 100, set(), []
    cursor: str | None = None
    waves = iter(arrivals)
    while True:
        rest = following(ordered(joined, last), None if cursor is None else LIST_CURSOR.decode(cursor))
        page = rest[:limit]
        seen += [found.conversation_id for found in page]
        if len(rest) <= limit:
            break
        cursor = LIST_CURSOR.encode(page[-1])
        for name in next(waves, []):
            now_ms += 1
            last = {**last, name: LogPosition(now_ms, 1)}
            moved.add(name)
    assert len(seen) == len(set(seen))
    assert {one.conversation_id for one in joined} - moved <= set(seen)


@given(
    st.text(min_size=1, max_size=128).filter(lambda text: text.encode("utf-8", "ignore").decode() == text),
    st.integers(0, 2**63 - 1),
)
def test_a_cursor_says_where_it_was(conversation_id: str, last_ms: int) -> None:
    listed = ConversationCursor(conversation_id, last_ms)
    assert LIST_CURSOR.decode(LIST_CURSOR.encode(listed)) == listed


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.hex()))
def test_what_is_no_cursor_is_refused_or_read_but_never_breaks(text: str) -> None:
    try:
        listed = LIST_CURSOR.decode(text)
    except ValueError:
        return
    assert listed.conversation_id
    assert 0 <= listed.last_ms < 2**63


async def test_an_answer_that_was_under_way_while_somebody_was_removed_is_not_remembered() -> None:
    store, looked, go_on = MemoryConversations(), asyncio.Event(), asyncio.Event()
    await store.create("g", ["alice", "bob"], 1, created_by="alice", name="g", is_group=True)
    membership = store.membership

    async def slow(conversation_id: str, user_id: str) -> object:
        found = await membership(conversation_id, user_id)
        looked.set()
        await go_on.wait()
        return found

    store.membership = slow  # type: ignore[method-assign, assignment]
    memberships = Memberships(store, lambda: 1_000, lambda: 1.0)
    asking = asyncio.create_task(memberships.check("g", "bob"))
    await looked.wait()
    before = await store.get("g")
    assert before is not None
    await store.change(before, without_member(before, "alice", "bob"))
    memberships.forget("g", "bob")
    go_on.set()
    await asking  # it was asked before
    with pytest.raises(Exception, match="you are not a participant"):
        await memberships.check("g", "bob")


async def test_nobody_is_asked_again_about_a_conversation_that_is_no_group() -> None:
    store, now_ms = MemoryConversations(), [0]
    memberships = Memberships(store, lambda: now_ms[0], lambda: now_ms[0] / 1000)
    await memberships.join_or_create("c", "alice")
    store.available = False
    now_ms[0] += 10**9
    await memberships.join_or_create("c", "alice")
    await memberships.check("c", "alice")


async def test_who_wrote_through_another_process_gets_in_while_the_store_is_away() -> None:
    store = MemoryConversations()
    await store.create("c", ["alice"], 1, created_by="alice")
    memberships = Memberships(store, lambda: 1_000, lambda: 1.0)
    memberships.wrote("c", "alice", 1_000)
    store.available = False
    await memberships.join_or_create("c", "alice")
    await memberships.check("c", "alice")
    with pytest.raises(StoreUnavailable):
        await memberships.check("c", "bob")


async def test_a_message_in_a_direct_conversation_lets_no_third_person_in() -> None:
    store, guessed = MemoryConversations(), direct_id("alice", "user:bob")
    memberships = Memberships(store, lambda: 1_000, lambda: 1.0)
    memberships.wrote(guessed, "mallory", 1_000)  # in an older release, under an id that was guessed
    store.available = False
    with pytest.raises(StoreUnavailable):
        await memberships.check(guessed, "mallory")


async def test_who_wrote_once_is_looked_up_as_long_as_the_store_answers() -> None:
    store = MemoryConversations()
    await store.create("c", ["alice"], 1, created_by="alice")
    memberships = Memberships(store, lambda: 1_000, lambda: 1.0)
    memberships.wrote("c", "bob", 1_000)  # a record from before bob was removed
    with pytest.raises(NotAllowed):
        await memberships.check("c", "bob")


async def test_an_older_message_does_not_let_in_who_was_removed() -> None:
    store = MemoryConversations()
    await store.create("g", ["alice", "bob"], 1, created_by="alice", name="g", is_group=True)
    memberships = Memberships(store, lambda: 1_000, lambda: 1.0)
    memberships.forget("g", "bob")
    memberships.wrote("g", "bob", 1_000)  # the follower of the log is behind
    store.available = False
    with pytest.raises(StoreUnavailable):
        await memberships.check("g", "bob")


@pytest.mark.parametrize("at_ms", [1, 999])
async def test_a_group_message_from_before_the_start_lets_nobody_in(at_ms: int) -> None:
    store, group_id = MemoryConversations(), uuid7(1, bytes(10))
    await store.create(group_id, ["alice", "bob"], 1, created_by="alice", name="g", is_group=True)
    before = await store.get(group_id)
    assert before is not None
    await store.change(before, without_member(before, "alice", "bob"))  # by another process
    memberships = Memberships(store, lambda: 1_000, lambda: 1.0)
    memberships.wrote(group_id, "bob", at_ms)  # the follower of a restarted process reads old records
    store.available = False
    with pytest.raises(StoreUnavailable):
        await memberships.check(group_id, "bob")
    memberships.wrote(group_id, "alice", 1_000)
    await memberships.check(group_id, "alice")


async def test_in_an_outage_a_member_of_a_group_gets_in_for_a_quarter_of_an_hour_after_the_last_check() -> None:
    store, group_id, now = MemoryConversations(), uuid7(1, bytes(10)), [0.0]
    await store.create(group_id, ["alice", "bob"], 1, created_by="alice", name="g", is_group=True)
    await store.create("c", ["alice"], 1, created_by="alice")
    memberships = Memberships(store, lambda: 1_000, lambda: now[0])
    for name in (group_id, "c"):
        await memberships.check(name, "alice")
    memberships.wrote(group_id, "bob", 1_000)
    memberships.wrote("c", "carol", 1_000)
    store.available = False
    now[0] = 897.0
    for user in ("alice", "bob"):
        await memberships.check(group_id, user)
    now[0] = 901.0
    for user in ("alice", "bob"):
        with pytest.raises(StoreUnavailable):
            await memberships.check(group_id, user)
    for user in ("alice", "carol"):  # no group: nobody can be removed
        await memberships.check("c", user)
    store.available = True
    now[0] += 1.0
    await memberships.check(group_id, "alice")


async def test_a_silent_store_is_waited_for_once_and_not_by_each_message() -> None:
    store, asked = MemoryConversations(), []
    await store.create("c", ["alice"], 1, created_by="alice")

    async def silent(conversation_id: str, user_id: str) -> object:
        asked.append(user_id)
        raise StoreUnavailable("no answer")

    store.membership = silent  # type: ignore[method-assign, assignment]
    memberships = Memberships(store, lambda: 1_000, lambda: 1.0)
    memberships.wrote("c", "alice", 1_000)
    for _ in range(5):
        await memberships.check("c", "alice")
    assert len(asked) == 1
