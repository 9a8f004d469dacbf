"""Recent reactions: bounded, and the later one of a person counts."""

from __future__ import annotations

from domain.reactions import PersonReaction
from web.history.reactions import RecentReactions


def test_the_reactions_to_the_oldest_messages_go_first() -> None:
    recent = RecentReactions(limit=4)
    for number in range(4):
        recent.add("c-1", PersonReaction(f"m-{number // 2}", f"u-{number}", "👍", 1, number))
    recent.add("c-1", PersonReaction("m-9", "u-1", "👍", 1, 9))
    assert len(recent) == 3
    assert not recent.of("m-0")
    assert set(recent.of("m-1")) == {"u-2", "u-3"}


def test_an_earlier_reaction_of_the_same_person_changes_nothing() -> None:
    recent = RecentReactions()
    for offset in (5, 3, 5):
        recent.add("c-1", PersonReaction("m-1", "u-1", f"{offset}", 1, offset))
    assert [one.offset for one in recent.of("m-1").values()] == [5]
    assert len(recent) == 1


def test_a_conversation_with_a_reaction_on_the_log_is_never_taken_for_one_without() -> None:
    recent = RecentReactions()
    recent.note_none("c-1")
    assert recent.has_none("c-1")
    recent.add("c-1", PersonReaction("m-1", "u-1", "👍", 1, 1))
    recent.note_none("c-1")
    assert not recent.has_none("c-1")
