"""What a list of conversations costs on a real Cassandra, and that a large one stays within its time.

The figures: pytest tests/integration/test_cassandra_lists.py -s
"""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest
import pytest_asyncio

from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted
from storage.cassandra.activity import CassandraActivityReader
from storage.cassandra.conversations import CassandraConversationStore
from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.session import CassandraSession
from support.history import history_over
from web.conversations.announced import AnnouncedMembers
from web.conversations.listing import ConversationLists
from web.history.recent import RecentMessages

pytestmark = pytest.mark.real
JANUARY = 1_767_225_600_000
MAX_SECONDS = 2.0  # what a caller should wait at most for any page


@pytest_asyncio.fixture
async def session(cassandra):
    async with CassandraSession(cassandra) as session:
        yield session


def lists_of(session: CassandraSession, listed: int = 2_000) -> ConversationLists:
    return ConversationLists(
        conversations=CassandraConversationStore(session),
        activity=CassandraActivityReader(session),
        history=history_over(RecentMessages(1_000)),
        announced=AnnouncedMembers(),
        most_listed=listed,
    )


def message(conversation: str, n: int) -> MirrorEntry:
    name = f"{conversation}/{n}"
    position = LogPosition(JANUARY + n, n)
    return MirrorEntry(name, conversation, position, MessageAccepted(name, conversation, "u", "telegram:5", "x" * 100))


async def a_user_with(session: CassandraSession, conversations: int) -> str:
    user, store, mirror = uuid.uuid4().hex, CassandraConversationStore(session), CassandraMessageMirror(session)
    names = [f"c-{user}-{n}" for n in range(conversations)]
    for at in range(0, conversations, 10):  # lightweight transactions are dear
        await asyncio.gather(*(store.create(name, [user, "somebody"], JANUARY + at) for name in names[at : at + 10]))
    await mirror.write([message(name, n) for n, name in enumerate(names)])
    return user


@pytest.mark.parametrize("conversations", [20, 500])
async def test_a_page_of_a_users_conversations_is_quick(session, conversations):
    user, lists = await a_user_with(session, conversations), lists_of(session)
    began = time.perf_counter()
    page, cursor = await lists.page(user, "maria", cursor=None, offset=0, limit=50)
    first = time.perf_counter() - began
    assert [summary.message_count for summary in page] == [1] * min(50, conversations)
    assert (cursor is None) == (conversations <= 50)
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(10):
        await lists.page(user, "maria", cursor=None, offset=0, limit=50)
    again, cpu = (time.perf_counter() - began) / 10, (time.process_time() - cpu) / 10
    figures = f"first {first * 1e3:.0f} ms, then {again * 1e3:.0f} ms, CPU {cpu * 1e3:.1f} ms"
    print(f"\n{conversations} conversations: {figures}")
    assert again < MAX_SECONDS


async def test_a_large_conversation_is_counted_in_time(session):
    conversation, mirror = f"c-{uuid.uuid4()}", CassandraMessageMirror(session)
    for at in range(0, 50_000, 2_000):
        await mirror.write([message(conversation, n) for n in range(at, at + 2_000)])
    reader = CassandraActivityReader(session)
    began = time.perf_counter()
    (activity,) = (await reader.activities([conversation])).values()
    assert await reader.count(conversation, activity) == 50_000
    print(f"\n50,000 messages counted in {(time.perf_counter() - began) * 1e3:.0f} ms")
    (activity,) = (await reader.activities([conversation])).values()
    began = time.perf_counter()
    assert await reader.count(conversation, activity) == 50_000
    assert time.perf_counter() - began < MAX_SECONDS


async def test_a_message_alone_in_its_conversation_costs_one_statement_more(session):
    mirror, run = CassandraMessageMirror(session), uuid.uuid4().hex[:8]
    flushes = [[message(f"c-{run}-{n}", n) for n in range(at, at + 2_000)] for at in (0, 2_000, 4_000)]
    await mirror.write(flushes[0])
    wall, cpu = time.perf_counter(), time.process_time()
    for flush in flushes[1:]:
        await mirror.write(flush)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"\n{4_000 / wall:,.0f} messages/s, client CPU {cpu / 4_000 * 1e3:.4f} ms a message (4 statements)")
