"""What is the mirror's own on a real Cassandra: batches that are too large, and what a message costs.

The figures: pytest tests/integration/test_cassandra_mirror.py -s
"""

from __future__ import annotations

import time
import uuid

import pytest
import pytest_asyncio

from domain.errors import MalformedRecord
from domain.ports import LogPosition, MirrorEntry
from domain.records import MessageAccepted
from domain.status import Fact
from storage.cassandra.driver_session import Access
from storage.cassandra.mirror import CassandraMessageMirror
from storage.cassandra.reader import CassandraMessageReader
from storage.cassandra.session import CassandraSession

pytestmark = pytest.mark.real
JANUARY = 1_767_225_600_000
# measured 0.023 ms; four times that is a loss worth looking into
MAX_CPU_MS_A_STATEMENT = 0.1


@pytest_asyncio.fixture
async def session(cassandra):
    async with CassandraSession(cassandra) as session:
        yield session


def entry(conversation: str, n: int, content: str = "x" * 200) -> MirrorEntry:
    """A message of the usual kind, delivered and read."""
    position = LogPosition(JANUARY + n, n)
    message_id = str(uuid.uuid4())
    message = MessageAccepted(message_id, conversation, str(uuid.uuid4()), "whatsapp:+5511999990000", content)
    told = [
        Fact("SENT", position.accepted_at_ms + 20, 1, f"wamid.{message_id}"),
        Fact("DELIVERED", position.accepted_at_ms + 1_000, 1, f"wamid.{message_id}"),
        Fact("READ", position.accepted_at_ms + 3_000, 1),
        Fact("FAILED", position.accepted_at_ms + 10, 0, None, "rate-limited"),
    ]
    return MirrorEntry(message_id, conversation, position, message, told)


async def test_a_batch_that_the_server_finds_too_large_is_split(session):
    mirror = CassandraMessageMirror(session, max_batch_statements=1_000, max_batch_bytes=10_000_000)
    entries = [entry(f"c-{uuid.uuid4()}", n, "x" * 10_000) for n in range(100)]
    await mirror.write(entries)
    reader = CassandraMessageReader(session)
    for written in entries:
        assert (await reader.get(written.message_id)).message == written.message


async def test_no_tombstone_is_written(session):
    conversation = f"c-{uuid.uuid4()}"
    bare = entry(conversation, 1)
    bare.facts.clear()  # neither a file nor facts: nothing is said about either column
    await CassandraMessageMirror(session).write([bare])
    cql = (
        "SELECT writetime(content), writetime(file_id), writetime(file) FROM {ks}.messages"
        " WHERE conversation_id = ? AND bucket = 202601"
    )
    ((content_at, *file_at),) = await session.run(cql, (conversation,), Access.READ)
    assert content_at is not None
    assert file_at == [None, None]
    found = await CassandraMessageReader(session).get(bare.message_id)
    assert found.state.accepted_at_ms == JANUARY + 1
    assert found.message.file_id is None


async def test_an_id_that_cannot_be_stored_is_refused_before_anything_is_written(session):
    good, bad = entry(f"c-{uuid.uuid4()}", 1), entry("", 2)
    with pytest.raises(MalformedRecord):
        await CassandraMessageMirror(session).write([good, bad])
    assert await CassandraMessageReader(session).get(good.message_id) is None


async def test_a_statement_costs_the_client_little(session):
    mirror = CassandraMessageMirror(session)
    run = uuid.uuid4().hex[:8]
    flushes = [
        [entry(f"c-{run}-{n % 200}", n) for n in range(flush * 2_000, (flush + 1) * 2_000)] for flush in range(4)
    ]
    await mirror.write(flushes[0])
    wall, cpu = time.perf_counter(), time.process_time()
    for flush in flushes[1:]:
        await mirror.write(flush)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    statements = 2 * 6_000
    print(f"\n{6_000 / wall:,.0f} messages/s, client CPU {cpu / statements * 1e3:.4f} ms a statement (2 a message)")
    assert cpu / statements * 1e3 < MAX_CPU_MS_A_STATEMENT
