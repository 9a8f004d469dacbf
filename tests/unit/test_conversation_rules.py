"""Who may change a group, and what no sequence of changes can bring about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.conversations import (
    MAX_MEMBERS,
    Conversation,
    Member,
    is_address,
    with_admin,
    with_member,
    without_member,
)
from domain.errors import AlreadyExists, Chat4AllError, Conflict, NotAllowed, NotFound

ADDRESS = "whatsapp:+5511999990000"
WHO = st.sampled_from(["alice", "bob", "carol", "dora", ADDRESS])
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "remove", "promote"]), WHO, WHO), max_size=40)


def group(*members: Member) -> Conversation:
    return Conversation("g-1", 1, members or (Member("alice", 1, is_admin=True),), "alice", "us", is_group=True)


def test_an_admin_adds_a_member_who_is_no_admin() -> None:
    after = with_member(group(), "alice", "bob", 7)
    assert after.member("bob") == Member("bob", 7)
    assert (after.admins, after.participants, after.version) == (["alice"], ["alice", "bob"], 1)


def test_only_admins_change_who_takes_part() -> None:
    two = with_member(group(), "alice", "bob", 7)
    for change in (
        lambda: with_member(two, "bob", "carol", 8),
        lambda: without_member(two, "bob", "alice"),
        lambda: with_admin(two, "bob", "bob"),
        lambda: with_member(two, "mallory", "mallory", 8),
        lambda: without_member(two, "mallory", "bob"),
        lambda: with_admin(two, "mallory", "mallory"),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_everybody_may_leave_but_not_the_last_admin_while_others_stay() -> None:
    two = with_member(group(), "alice", "bob", 7)
    assert without_member(two, "bob", "bob").participants == ["alice"]
    with pytest.raises(Conflict, match="another member an admin first"):
        without_member(two, "alice", "alice")
    assert without_member(with_admin(two, "alice", "bob"), "alice", "alice").admins == ["bob"]


def test_the_last_user_may_leave_addresses_behind() -> None:
    alone = with_member(group(), "alice", ADDRESS, 7)
    assert without_member(alone, "alice", "alice").participants == [ADDRESS]


def test_nobody_is_added_twice_and_strangers_are_neither_removed_nor_promoted() -> None:
    with pytest.raises(AlreadyExists):
        with_member(group(), "alice", "alice", 7)
    for change in (without_member, with_admin):
        with pytest.raises(NotFound):
            change(group(), "alice", "bob")


def test_an_admin_again_is_no_change_and_an_address_is_never_one() -> None:
    held = with_member(group(), "alice", ADDRESS, 7)
    assert with_admin(held, "alice", "alice") is held
    with pytest.raises(Conflict, match="user of this system"):
        with_admin(held, "alice", ADDRESS)


def test_a_full_group_takes_nobody_more() -> None:
    full = group(Member("alice", 1, is_admin=True), *(Member(f"u-{n}", 1) for n in range(MAX_MEMBERS - 1)))
    with pytest.raises(Conflict, match="256"):
        with_member(full, "alice", "late", 7)


@given(CHANGES)
def test_no_sequence_of_changes_leaves_users_without_an_admin(changes: list[tuple[str, str, str]]) -> None:
    held, version = group(), 0
    for word, actor, other in changes:
        try:
            match word:
                case "add":
                    held = with_member(held, actor, other, 7)
                case "remove":
                    held = without_member(held, actor, other)
                case _:
                    held = with_admin(held, actor, other)
        except Chat4AllError:
            assert held.version == version
        assert held.version >= version
        version = held.version
        assert held.participants == sorted(set(held.participants))
        assert not any(is_address(admin) for admin in held.admins)
        if any(not is_address(who) for who in held.participants):
            assert held.admins
