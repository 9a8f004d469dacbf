"""What the memory let go and the mirror has yet to write, against a plain list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import uuid7
from web.history.gaps import Gaps, IdFilter
from web.history.mirrored import Mirrored


class Gone(NamedTuple):
    partition: int
    position: int
    has_message: bool
    last_fact: int

    @property
    def message_id(self) -> str:
        return f"m-{self.partition}-{self.position}"

    def is_lacking(self, messages: Mapping[int, int], facts: Mapping[int, int]) -> tuple[bool, bool]:
        lacks_message = self.has_message and self.position >= messages.get(self.partition, 0)
        return lacks_message, self.last_fact >= facts.get(self.partition, 0)


GONE = st.builds(Gone, st.integers(0, 1), st.integers(0, 30), st.booleans(), st.integers(-1, 30))
OFFSETS = st.dictionaries(st.integers(0, 1), st.integers(0, 32))


@given(st.lists(st.one_of(GONE, st.tuples(OFFSETS, OFFSETS)), max_size=25))
def test_whatever_is_in_neither_view_is_in_a_gap_and_once_all_is_mirrored_there_is_none(
    steps: list[Gone | tuple[dict[int, int], dict[int, int]]],
) -> None:
    gaps, gone = Gaps(), list[Gone]()
    messages, facts = dict[int, int](), dict[int, int]()
    for step in steps:
        if isinstance(step, Gone):
            gaps.evicted(
                step.message_id, step.partition, step.position, has_message=step.has_message, last_fact=step.last_fact
            )
            gone.append(step)
        else:  # the mirror never goes back
            for known, new in zip((messages, facts), step, strict=True):
                known.update({partition: max(known.get(partition, 0), offset) for partition, offset in new.items()})
            gaps.mirrored(dict(messages), dict(facts))
        for one in gone:
            lacks_message, lacks_fact = one.is_lacking(messages, facts)
            gap = gaps.of(one.partition)
            if lacks_message or lacks_fact:
                assert gap is not None
                assert gap.touches(one.position, one.position + 1)
            if lacks_message:
                assert gap is not None
                assert gap.messages_end
                assert gaps.may_hold(one.message_id)
    gaps.mirrored(dict.fromkeys((0, 1), 40), dict.fromkeys((0, 1), 40))
    assert not gaps.is_open
    assert not any(gaps.may_hide(one.message_id) for one in gone)


def test_what_was_never_read_may_be_any_message() -> None:
    gaps = Gaps()
    gaps.skip(3, 10, 50)
    gap = gaps.of(3)
    assert gap is not None
    assert [gap.touches(*span) for span in ((0, 10), (0, 11), (49, None), (50, None))] == [False, True, True, False]
    assert (gaps.may_hide("any"), gaps.may_hold("any")) == (True, False)
    gaps.mirrored({3: 49}, {})
    assert gaps.may_hide("any")
    gaps.mirrored({3: 50}, {})
    assert not gaps.may_hide("any")


def test_the_filter_forgets_nothing_and_takes_few_others_for_what_it_has() -> None:
    ids = [uuid7(1_763_848_800_000 + n, n.to_bytes(10, "big")) for n in range(40_000)]
    found = IdFilter(size_bytes=40_000)  # as full as that of an API is with two million
    for one in ids[::2]:
        found.add(one)
    assert all(one in found for one in ids[::2])
    assert sum(one in found for one in ids[1::2]) < 20_000 * 0.03


async def test_kafka_is_asked_only_while_something_is_lacking_and_once_for_all_who_wait() -> None:
    gaps, now, asked = Gaps(), [100.0], 0

    async def ask() -> tuple[dict[int, int], dict[int, int]]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {0: asked * 10}, {}

    mirrored = Mirrored(gaps, 1, ask, lambda: now[0])
    assert await mirrored.gap("c-1") is None
    assert not await mirrored.may_hide("m-1")
    assert asked == 0
    gaps.evicted("m-15", 0, 15, has_message=True, last_fact=-1)
    found = await asyncio.gather(*(mirrored.gap("c-1") for _ in range(100)), mirrored.may_hide("m-15"))
    assert asked == 1
    assert all(found)
    assert await mirrored.gap("c-1") is not None
    assert asked == 1, "just asked"
    now[0] += 1
    assert await mirrored.gap("c-1") is None
    assert asked == 2


async def test_while_kafka_does_not_tell_what_was_lacking_is_taken_to_lack_still() -> None:
    async def ask() -> tuple[dict[int, int], dict[int, int]]:
        raise OSError("switched off")

    gaps = Gaps()
    mirrored = Mirrored(gaps, 1, ask, lambda: 0.0)
    gaps.evicted("m-15", 0, 15, has_message=True, last_fact=-1)
    assert await mirrored.gap("c-1") is not None
    assert await mirrored.may_hold("m-15")
