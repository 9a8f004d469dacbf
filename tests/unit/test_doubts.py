"""For how long a message that is in no view may still be written."""

from __future__ import annotations

import pytest

from domain.ids import keyed_id, uuid7
from fakes.message_log import MemoryLog
from web.history.doubts import UNSETTLED_SECONDS, Doubts

NOW_MS = 1_763_848_800_000
SETTLED_MS = int(UNSETTLED_SECONDS * 1000)


class World:
    def __init__(self) -> None:
        self.log = MemoryLog()
        self.seconds = 1_000.0
        self.doubts = Doubts(self.log, lambda: NOW_MS, lambda: self.seconds)


@pytest.mark.parametrize(
    ("made_ms", "may_come"),
    [
        (NOW_MS, True),
        (NOW_MS - SETTLED_MS + 1, True),
        (NOW_MS - SETTLED_MS, False),
        (NOW_MS + SETTLED_MS - 1, True),  # by another process, whose clock is ahead
        (NOW_MS + SETTLED_MS, False),  # by nobody: an id of next year is not in doubt for a year
    ],
)
def test_an_id_is_in_doubt_while_the_process_that_made_it_may_wait_for_the_log(made_ms: int, may_come: bool) -> None:
    assert World().doubts.may_come(uuid7(made_ms, bytes(10))) is may_come


def test_a_pending_record_may_come_whatever_its_id() -> None:
    world, message_id = World(), keyed_id("u-1", "key")
    assert not world.doubts.may_come(message_id)
    world.log.pending.add(message_id)
    assert world.doubts.may_come(message_id)


def test_after_the_log_was_unavailable_everything_is_in_doubt_for_a_while() -> None:
    world, message_id = World(), keyed_id("u-1", "key")
    world.doubts.log_was_unavailable()
    world.seconds += UNSETTLED_SECONDS - 0.001
    assert world.doubts.may_come(message_id)
    world.seconds += 0.001
    assert not world.doubts.may_come(message_id)
