"""ActivityReader, on the fake and on Cassandra: it is fed by the mirror."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import StoreUnavailable
from domain.ids import keyed_id
from domain.ports import Activity, LogPosition, MirrorEntry
from domain.records import MessageAccepted
from domain.status import Fact
from support.stepping_log import SteppingLog

pytestmark = pytest.mark.asyncio(loop_scope="module")

JANUARY = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MONTH_MS = 31 * 86_400_000
FEW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def fresh() -> str:
    return f"c-{uuid.uuid4()}"


def message(conversation: str, position: LogPosition) -> MirrorEntry:
    name = f"{conversation}/{position.accepted_at_ms}/{position.offset}"
    return MirrorEntry(name, conversation, position, MessageAccepted(name, conversation, "alice", "telegram:5", "hi"))


async def counted(stores, conversation: str) -> tuple[LogPosition, int]:
    activity = (await stores.activity.activities([conversation]))[conversation]
    return activity.last, await stores.activity.count(conversation, activity)


async def test_a_conversation_without_messages_has_no_activity(stores):
    silent, only_facts = fresh(), fresh()
    position = LogPosition(JANUARY, 1)
    await stores.mirror.write([MirrorEntry("m-1", only_facts, position, None, [Fact("SENT", JANUARY, 1)])])
    assert await stores.activity.activities([silent, only_facts, "", "\ud800"]) == {}
    assert await stores.activity.activities([]) == {}


positions = st.builds(
    lambda month, ms, position: LogPosition(JANUARY + month * MONTH_MS + ms, position),
    st.integers(0, 2),
    st.integers(0, 1),
    st.integers(0, 2_000),  # beyond a thousand: no arithmetic on positions may turn their order round
)


@FEW
@given(told=st.lists(positions, unique_by=lambda position: position.offset, min_size=1, max_size=30), data=st.data())
async def test_any_order_and_any_repetition_give_the_same_count_and_last_place(stores, told, data):
    """Each four are what one flush of the mirror holds; a flush may come again. In between, somebody counts. Clocks
    step back at random."""
    log = SteppingLog(stores.mirror)
    conversation = log.conversation
    ordered = sorted(told)
    flushes = [ordered[at : at + 4] for at in range(0, len(ordered), 4)]  # the mirror goes by the log
    for done, flush in enumerate(flushes, 1):
        again = data.draw(st.sampled_from(flushes[:done]))
        for batch in (flush, again):
            await log.write([message(conversation, position) for position in batch], anew=data.draw(st.booleans()))
        written = {position for batch in flushes[:done] for position in batch}
        if data.draw(st.booleans()):
            assert await counted(stores, conversation) == (max(written), len(written))
    if ordered:
        assert await counted(stores, conversation) == (ordered[-1], len(set(ordered)))
        assert await counted(stores, conversation) == (ordered[-1], len(set(ordered)))


async def test_a_count_that_others_took_further_is_right_for_who_asks(stores):
    conversation = fresh()
    held = [LogPosition(JANUARY + n * MONTH_MS // 3, n) for n in range(9)]
    await stores.mirror.write([message(conversation, position) for position in held])
    assert await counted(stores, conversation) == (held[-1], 9)
    (activity,) = (await stores.activity.activities([conversation])).values()
    for n, position in enumerate(held, 1):
        assert await stores.activity.count(conversation, Activity(position, activity.counted_to, activity.counted)) == n


async def test_facts_without_their_message_do_not_count(stores):
    conversation = fresh()
    await stores.mirror.write(
        [message(conversation, LogPosition(JANUARY, 1)), message(conversation, LogPosition(JANUARY, 3))]
    )
    await stores.mirror.write(
        [MirrorEntry("m", conversation, LogPosition(JANUARY, 2), None, [Fact("SENT", JANUARY, 1)])]
    )
    assert await counted(stores, conversation) == (LogPosition(JANUARY, 3), 2)


async def test_a_message_that_the_log_holds_twice_counts_once(stores):
    conversation, twice = fresh(), keyed_id("alice", uuid.uuid4().hex)
    plain = [message(conversation, LogPosition(JANUARY, n)) for n in range(4)]
    again = [
        MirrorEntry(twice, conversation, position, MessageAccepted(twice, conversation, "alice", "telegram:5", "hi"))
        for position in (LogPosition(JANUARY, 7), LogPosition(JANUARY + 1, 9), LogPosition(JANUARY + MONTH_MS, 11))
    ]
    await stores.mirror.write([*plain, again[0]])
    assert await counted(stores, conversation) == (again[0].position, 5)
    await stores.mirror.write([again[1]])
    assert await counted(stores, conversation) == (again[1].position, 5)
    await stores.mirror.write([again[2], message(conversation, LogPosition(JANUARY + MONTH_MS, 12))])
    assert await counted(stores, conversation) == (LogPosition(JANUARY + MONTH_MS, 12), 6)


async def test_more_messages_than_are_looked_at_are_counted(stores):
    conversation = fresh()
    held = [message(conversation, LogPosition(JANUARY + n // 3, n)) for n in range(1_500)]
    await stores.mirror.write(held[:1_100])
    assert await counted(stores, conversation) == (held[1_099].position, 1_100)
    await stores.mirror.write(held[1_000:])
    assert await counted(stores, conversation) == (held[-1].position, 1_500)


async def test_many_conversations_are_asked_for_at_once(stores):
    conversations = [fresh() for _ in range(250)]
    await stores.mirror.write([message(wanted, LogPosition(JANUARY, n)) for n, wanted in enumerate(conversations)])
    found = await stores.activity.activities(conversations + conversations)
    assert {wanted: activity.last for wanted, activity in found.items()} == {
        wanted: LogPosition(JANUARY, n) for n, wanted in enumerate(conversations)
    }


async def test_an_outage_is_told(stores):
    conversation = fresh()
    await stores.mirror.write([message(conversation, LogPosition(JANUARY, 1))])
    await stores.off()
    try:
        with pytest.raises(StoreUnavailable):
            await stores.activity.activities([conversation])
        with pytest.raises(StoreUnavailable):
            await stores.activity.count(conversation, Activity(LogPosition(JANUARY, 1)))
    finally:
        await stores.on()
