"""What an API process keeps of messages is what its own account says, however many have passed."""

from __future__ import annotations

import tracemalloc

import pytest

from loadtests.recent_memory import measure
from web.history.timeline import Timeline


def test_nothing_is_held_beside_the_recent_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(500, 6_000, is_traced=True)
    assert "500 held" in capsys.readouterr().out


def test_conversations_that_go_on_keep_nothing_of_the_messages_that_left() -> None:
    tracemalloc.start()
    timelines = [Timeline() for _ in range(100)]
    sizes = []
    for offset in range(251):
        for number, timeline in enumerate(timelines):
            timeline.add(offset, f"a-message-with-a-name-of-its-own-{number}-{offset}")
            if offset >= 4:
                timeline.discard(offset - 4)
        if offset in (30, 250):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] < sizes[0] * 1.5
    assert all(len(timeline) == 4 and len(timeline.ids(None, 9, descending=True)) == 4 for timeline in timelines)
