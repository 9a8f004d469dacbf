"""MessageMirror and MessageReader, on the fake and on Cassandra."""

from __future__ import annotations

import random
import time
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import StoreUnavailable
from domain.files import FileMetadata
from domain.ids import keyed_id
from domain.kinds import KINDS
from domain.ports import LogPosition, MirrorEntry
from domain.records import MAX_CONTENT_BYTES, MessageAccepted
from domain.status import Fact, MessageState, Status, fold
from support.stepping_log import SteppingLog
from support.waiting import persistently

pytestmark = pytest.mark.asyncio(loop_scope="module")

JANUARY = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MONTH_MS = 31 * 86_400_000
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

facts = st.builds(
    Fact,
    status=st.sampled_from(list(Status)).map(str),
    at_ms=st.integers(JANUARY, JANUARY + 5_000),
    attempt=st.integers(0, 3),
    provider_id=st.none() | st.sampled_from(["sim.1", 'wamid."quoted"']),
    failure_code=st.none() | st.sampled_from(["blocked", "expired"]),
    failure_detail=st.none() | st.text(max_size=20),
)
shared_facts = st.builds(
    Fact,
    status=st.sampled_from(list(Status)).map(str),
    at_ms=st.integers(JANUARY, JANUARY + 5_000),
    attempt=st.integers(0, 3),
    recipient_id=st.sampled_from(["", "whatsapp:+5511999990000", "internal:u-2"]),
    recipient_count=st.just(2),
)


def fresh(prefix: str = "c") -> str:
    return f"{prefix}-{uuid.uuid4()}"


def accepted(conversation: str, position: LogPosition, content: str = "hi", **more: object) -> MirrorEntry:
    message = MessageAccepted(fresh("m"), conversation, "alice", "whatsapp:+5511999990000", content, **more)
    return MirrorEntry(message.message_id, conversation, position, message)


short = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | short, lambda of: st.lists(of, max_size=3)
)
kinds = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(KINDS)),
        "body": st.dictionaries(short, values, max_size=4),
        "reply_to": st.sampled_from(["", "m-0"]),
        "target_id": st.sampled_from(["", "wamid.1"]),
        "direction": st.sampled_from(["outbound", "inbound"]),
        "sender_name": short,
        "provider_id": st.sampled_from(["", "wamid.2"]),
        "sent_at_ms": st.integers(0, JANUARY),
        "recipient_accounts": st.lists(st.sampled_from(["", "main"]), max_size=2).map(tuple),
        "members": st.lists(st.sampled_from(["u-1", "u-2"]), unique=True).map(tuple),
    }
)


@FEW
@given(more=kinds, content=short)
async def test_a_message_of_any_kind_and_direction_is_read_as_it_was_written(stores, more, content):
    conversation, position = fresh(), LogPosition(JANUARY, 7)
    entry = accepted(conversation, position, content, **more)
    await stores.mirror.write([entry])
    found = await stores.reader.get(entry.message_id)
    assert found.message == entry.message
    assert dict(found.message.body) == more["body"]


async def test_a_message_written_is_found_by_its_id_and_in_its_conversation(stores):
    conversation, position = fresh(), LogPosition(JANUARY, 7)
    entry = accepted(conversation, position, file_id="f-1")
    entry.facts.append(Fact("SENT", JANUARY + 10, 1, "sim.x"))
    await stores.mirror.write([entry])
    found = await stores.reader.get(entry.message_id)
    assert found.message == entry.message
    assert found.position == position
    assert found.state == MessageState(
        accepted_at_ms=JANUARY, sent_at_ms=JANUARY + 10, sent_attempt=1, provider_id="sim.x"
    )
    assert await stores.reader.list(conversation, after=None, limit=10, descending=False) == [found]


async def test_every_fact_comes_back_with_the_time_of_its_record(stores):
    conversation, position = fresh(), LogPosition(JANUARY, 7)
    entry = accepted(conversation, position)
    again = [Fact("SENT", JANUARY + 10, 1, "sim.x", logged_ms=JANUARY + at) for at in (12, 900)]
    unknown = Fact("READ", JANUARY + 30, 1)
    entry.facts += [*again, *again, unknown]
    await stores.mirror.write([entry])
    await stores.mirror.write([entry])
    found = await stores.reader.facts(entry.message_id)
    assert sorted((fact.status, fact.at_ms, fact.logged_ms) for fact in found) == [
        ("READ", JANUARY + 30, 0),
        ("SENT", JANUARY + 10, JANUARY + 12),
        ("SENT", JANUARY + 10, JANUARY + 900),
    ]
    assert (await stores.reader.get(entry.message_id)).state.sent_at_ms == JANUARY + 10
    assert await stores.reader.facts(fresh("m")) == await stores.reader.facts("") == []


async def test_to_whom_a_message_went_comes_back_with_a_state_for_each(stores):
    conversation, position = fresh(), LogPosition(JANUARY, 8)
    message = MessageAccepted(
        fresh("m"), conversation, "alice", "", "hi", None, ("whatsapp:+5511999990000", "internal:bob"), ("carla", "bob")
    )
    entry = MirrorEntry(message.message_id, conversation, position, message)
    entry.facts += [
        Fact("ACCEPTED", JANUARY, recipient_count=2),
        Fact("READ", JANUARY + 9, 1, "sim.x", recipient_id="whatsapp:+5511999990000", recipient_count=2),
    ]
    await stores.mirror.write([entry])
    found = await stores.reader.get(message.message_id)
    assert found.message == message
    assert found.state.status == Status.ACCEPTED
    assert {address: known.status for address, known in found.state.deliveries.items()} == {
        "whatsapp:+5511999990000": Status.READ
    }
    assert await stores.reader.list(conversation, after=None, limit=10, descending=False) == [found]


async def test_a_message_to_an_empty_everyone_comes_back_as_it_was(stores):
    conversation, position = fresh(), LogPosition(JANUARY, 7)
    message = MessageAccepted(fresh("m"), conversation, "alice", "", "to nobody yet")
    await stores.mirror.write(
        [MirrorEntry(message.message_id, conversation, position, message, [Fact("SENT", JANUARY)])]
    )
    found = await stores.reader.get(message.message_id)
    assert (found.message, found.position, found.state.status) == (message, position, Status.SENT)
    assert list(await stores.reader.list(conversation, after=None, limit=2, descending=False)) == [found]


async def test_what_is_known_of_a_messages_file_comes_back_as_it_was(stores):
    conversation = fresh()
    metadata = FileMetadata('it\'s "a" é.pdf', 2**31, "application/pdf", f"sha256:{'0f' * 32}", f"{conversation}/f.pdf")
    entry = accepted(conversation, LogPosition(JANUARY, 9), "", file_id="f-1", file=metadata)
    await stores.mirror.write([entry, accepted(conversation, LogPosition(JANUARY, 10))])
    first, second = await stores.reader.list(conversation, after=None, limit=10, descending=False)
    assert first.message == entry.message
    assert first.message.file == metadata
    assert (second.message.file_id, second.message.file) == (None, None)
    assert (await stores.reader.get(entry.message_id)).message == entry.message


@pytest.mark.parametrize(
    "more",
    [
        {"account": "main", "not_after_ms": JANUARY + 5, "priority": "bulk"},
        {"account": "main"},
        {"priority": "bulk"},
        {},
    ],
)
async def test_what_a_sender_asks_of_the_delivery_comes_back_as_it_was(stores, more):
    entry = accepted(fresh(), LogPosition(JANUARY, 9), **more)
    await stores.mirror.write([entry])
    assert (await stores.reader.get(entry.message_id)).message == entry.message


async def test_what_was_never_written_is_not_found(stores):
    assert await stores.reader.get(fresh("m")) is None
    assert await stores.reader.list(fresh(), after=None, limit=10, descending=True) == []
    await stores.mirror.write([])


@pytest.mark.parametrize("impossible", ["", "x" * 70_000, "lone \ud800 surrogate"])
async def test_an_id_that_cannot_be_a_key_is_simply_not_found(stores, impossible):
    assert await stores.reader.get(impossible) is None
    assert await stores.reader.list(impossible, after=None, limit=10, descending=False) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "it's \"quoted\" ''twice'' -- and ; commented $$",
        "line\nline\r\n\ttab\\n",
        "emoji 👩‍👩‍👧 e\u0301 \u202e \U0010ffff",
        "x" * MAX_CONTENT_BYTES,
    ],
)
async def test_content_comes_back_byte_for_byte(stores, content):
    conversation = fresh()
    entry = accepted(conversation, LogPosition(JANUARY, 1), content, file_id="f'1")
    await stores.mirror.write([entry])
    (listed,) = await stores.reader.list(conversation, after=None, limit=1, descending=False)
    assert listed.message == entry.message
    assert (await stores.reader.get(entry.message_id)).message.content.encode() == content.encode()


@FEW
@given(content=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300))
async def test_any_text_comes_back_byte_for_byte(stores, content):
    entry = accepted(fresh(), LogPosition(JANUARY, 1), content)
    await stores.mirror.write([entry])
    assert (await stores.reader.get(entry.message_id)).message.content == content


@FEW
@given(known=st.lists(facts, max_size=8) | st.lists(shared_facts, max_size=12), data=st.data())
async def test_facts_in_any_order_repeated_and_split_give_the_same_state(stores, known, data):
    conversation, position = fresh(), LogPosition(JANUARY, 3)
    content = accepted(conversation, position)
    told = data.draw(st.permutations(known + data.draw(st.lists(st.sampled_from(known)) if known else st.just([]))))
    cut = data.draw(st.integers(0, len(told)))
    first, second = (
        MirrorEntry(content.message_id, conversation, position, None, part) for part in (told[:cut], told[cut:])
    )
    for entry in data.draw(st.permutations([first, content, second, content])):
        await stores.mirror.write([entry])
    found = await stores.reader.get(content.message_id)
    assert found.state == fold(known, MessageState(accepted_at_ms=JANUARY))


async def test_facts_without_content_are_no_message_yet(stores):
    conversation = fresh()
    half = [
        MirrorEntry(fresh("m"), conversation, LogPosition(JANUARY, n), None, [Fact("SENT", JANUARY, 1)])
        for n in range(9)
    ]
    whole = accepted(conversation, LogPosition(JANUARY, 9))
    await stores.mirror.write([*half, whole])
    for descending in (False, True):
        found = await stores.reader.list(conversation, after=None, limit=2, descending=descending)
        assert [stored.message for stored in found] == [whole.message]
    assert await stores.reader.get(half[0].message_id) is None


async def test_every_size_of_write_arrives_whole(stores):
    conversation = fresh()
    contents = [random.Random(n).choice(["", "short", "x" * 3_000, "é" * 5_000]) for n in range(150)]
    entries = [accepted(conversation, LogPosition(JANUARY + n, n), content) for n, content in enumerate(contents)]
    for entry in entries:
        entry.facts += [Fact("SENT", JANUARY, 1, f"sim.{n}") for n in range(4)]
    await stores.mirror.write(entries)
    found = await stores.reader.list(conversation, after=None, limit=200, descending=False)
    assert [stored.message for stored in found] == [entry.message for entry in entries]


positions = st.builds(
    lambda month, ms, position: LogPosition(JANUARY + month * MONTH_MS + ms, position),
    st.integers(0, 14),
    st.integers(0, 3),
    st.integers(0, 40),
)


@FEW
@given(
    held=st.lists(positions, unique_by=lambda position: position.offset, max_size=30),
    piles=st.integers(1, 9),
    limit=st.integers(1, 7),
    descending=st.booleans(),
    data=st.data(),
)
async def test_pages_are_slices_of_the_log_however_its_clock_steps(stores, held, piles, limit, descending, data):
    """The times are any: in a log that nearly every record steps back in, and over the ends of months."""
    log = SteppingLog(stores.mirror)
    conversation = log.conversation
    held = sorted(held)
    for start in range(0, len(held), piles):
        entries = [accepted(conversation, position, str(position)) for position in held[start : start + piles]]
        await log.write(entries, anew=data.draw(st.booleans()))
        if data.draw(st.booleans()):
            await log.write(entries, anew=True)  # a pile comes again
    expected = sorted(held, reverse=descending)
    after = data.draw(st.none() | st.sampled_from(held)) if held else None
    if after is not None:
        expected = [position for position in expected if (position < after if descending else position > after)]
    for _ in range(len(held) + 1):
        page = await stores.reader.list(conversation, after=after, limit=limit, descending=descending)
        assert [stored.position for stored in page] == expected[:limit]
        assert [stored.message.content for stored in page] == [str(stored.position) for stored in page]
        expected = expected[limit:]
        if not page:
            break
        after = page[-1].position
    assert expected == []


HOUR_MS = 3_600_000


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 50, 1_000])
@pytest.mark.parametrize("stepped_at", [JANUARY + 10 * HOUR_MS, JANUARY + HOUR_MS // 2], ids=["hour", "month"])
async def test_after_a_clock_stepped_back_every_message_is_listed_once_in_the_order_of_the_log(
    stores, stepped_at, limit, descending
):
    """A clock goes on for a minute, steps back by an hour (once over the end of a month), and catches up again."""
    log = SteppingLog(stores.mirror)
    times = [stepped_at + n * 1_000 for n in range(60)]
    times += [stepped_at + 60_000 - HOUR_MS + n * 60_000 for n in range(90)]
    held = [LogPosition(at_ms, 500 + 3 * n) for n, at_ms in enumerate(times)]
    for start in range(0, len(held), 40):
        await log.write([accepted(log.conversation, position) for position in held[start : start + 40]])
    seen, after = [], None
    while page := await stores.reader.list(log.conversation, after=after, limit=limit, descending=descending):
        assert len(page) == limit or len(seen) + len(page) == len(held)
        seen += [stored.position for stored in page]
        after = page[-1].position
    assert seen == sorted(held, reverse=descending)


async def test_a_cursor_from_before_the_clock_stepped_back_misses_nothing_that_came_since(stores):
    log = SteppingLog(stores.mirror)
    before = [LogPosition(JANUARY + HOUR_MS // 2 + n, n) for n in range(20)]
    await log.write([accepted(log.conversation, position) for position in before])
    page = await stores.reader.list(log.conversation, after=None, limit=50, descending=False)
    cursor = page[-1].position
    since = [LogPosition(JANUARY - HOUR_MS // 2 + n, 20 + n) for n in range(20)]
    await log.write([accepted(log.conversation, position) for position in since], anew=True)
    found = await stores.reader.list(log.conversation, after=cursor, limit=50, descending=False)
    assert [stored.position for stored in found] == since


async def test_a_keyed_message_twice_in_the_log_around_a_step_back_is_where_it_was_first(stores):
    log = SteppingLog(stores.mirror)
    message_id = keyed_id(fresh("u"), "key")
    message = MessageAccepted(message_id, log.conversation, "alice", "whatsapp:+5511999990000", "once")
    first, second = LogPosition(JANUARY + HOUR_MS, 7), LogPosition(JANUARY, 8)
    entries = [MirrorEntry(message_id, log.conversation, position, message) for position in (first, second)]
    await log.write(entries[:1])
    await log.write(entries[1:], anew=True)
    assert (await stores.reader.get(message_id)).position == first
    found = await stores.reader.list(log.conversation, after=None, limit=9, descending=True)
    assert [stored.position for stored in found] == [first]


async def test_a_conversation_of_many_months_is_read_in_bounded_time(stores):
    conversation = fresh()
    held = [LogPosition(JANUARY + n * MONTH_MS, n) for n in range(120)]
    await stores.mirror.write([accepted(conversation, position) for position in held])
    found = await stores.reader.list(conversation, after=None, limit=100, descending=True)
    assert [stored.position for stored in found] == held[:-101:-1]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_a_keyed_message_that_is_in_the_log_more_than_once_is_where_it_was_first(stores, order):
    conversation, message_id = fresh(), keyed_id(fresh("u"), "key")
    positions = [LogPosition(JANUARY, 150), LogPosition(JANUARY, 207), LogPosition(JANUARY + MONTH_MS, 403)]
    message = MessageAccepted(message_id, conversation, "alice", "whatsapp:+5511999990000", "once")
    for index in order:
        await stores.mirror.write([MirrorEntry(message_id, conversation, positions[index], message)])
    between = accepted(conversation, LogPosition(JANUARY + 5, 300))
    await stores.mirror.write(
        [between, MirrorEntry(message_id, conversation, positions[0], None, [Fact("SENT", 5, 1)])]
    )
    found = await stores.reader.get(message_id)
    assert (found.position, found.message, found.state.status) == (positions[0], message, Status.SENT)
    for descending in (False, True):
        for limit in (1, 2, 10):
            seen, after = [], None
            while page := await stores.reader.list(conversation, after=after, limit=limit, descending=descending):
                seen += [stored.message.message_id for stored in page]
                after = page[-1].position
            assert seen == ([message_id, between.message_id][:: -1 if descending else 1])


async def test_a_limit_must_be_positive(stores):
    with pytest.raises(ValueError, match="limit 0"):
        await stores.reader.list(fresh(), after=None, limit=0, descending=False)


async def test_an_outage_is_told_quickly_and_over_when_it_is_over(stores):
    entry = accepted(fresh(), LogPosition(JANUARY, 1))
    await stores.mirror.write([entry])
    await stores.off()
    try:
        for call in (
            lambda: stores.reader.get(entry.message_id),
            lambda: stores.reader.list(entry.conversation_id, after=None, limit=5, descending=False),
            lambda: stores.mirror.write([entry]),
        ):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await call()
            assert time.monotonic() - began < 3
    finally:
        await stores.on()
    found = await persistently(lambda: stores.reader.get(entry.message_id), StoreUnavailable, seconds=20)
    assert found.message == entry.message
    await stores.mirror.write([entry])


def reacted(conversation: str, offset: int, by: str, target: str, emoji: str, at_ms: int = JANUARY) -> MirrorEntry:
    body = {"message_id": target, "emoji": emoji}
    message = MessageAccepted(fresh("m"), conversation, by, "", "", kind="reaction", body=body)
    return MirrorEntry(message.message_id, conversation, LogPosition(at_ms, offset), message)


async def test_the_last_reaction_of_each_person_is_read_in_whatever_order_they_were_written(stores):
    conversation, other = fresh(), fresh()
    assert not await stores.reader.has_reactions(conversation)
    entries = [
        reacted(conversation, 1, "ana", "t-1", "👍"),
        reacted(conversation, 2, "bob", "t-1", "🎉"),
        reacted(conversation, 3, "ana", "t-1", "😀"),  # in the same millisecond
        reacted(conversation, 4, "ana", "t-2", "👍", JANUARY + 1),
        reacted(conversation, 5, "ana", "t-2", "", JANUARY + 2),
        reacted(other, 6, "ana", "t-1", "🧀"),
    ]
    random.Random(7).shuffle(entries)
    for entry in entries:
        await stores.mirror.write([entry])
    assert await stores.reader.has_reactions(conversation)
    found = await stores.reader.reactions(conversation, ["t-1", "t-2", "t-3"])
    assert sorted((one.message_id, one.by, one.emoji, one.offset) for one in found) == [
        ("t-1", "ana", "😀", 3),
        ("t-1", "bob", "🎉", 2),
        ("t-2", "ana", "", 5),
    ]
    assert {one.at_ms for one in found} == {JANUARY, JANUARY + 2}
    assert await stores.reader.reactions(conversation, ["t-3"]) == []


async def test_a_reaction_without_a_target_is_a_message_and_no_more(stores):
    conversation = fresh()
    await stores.mirror.write([reacted(conversation, 1, "ana", "", "👍")])
    assert not await stores.reader.has_reactions(conversation)
    assert len(await stores.reader.list(conversation, after=None, limit=5, descending=False)) == 1
