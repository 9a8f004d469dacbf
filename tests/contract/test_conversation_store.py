"""ConversationStore, on the fake and on Cassandra."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from domain.conversations import MAX_MEMBERS, Conversation, Member, Membership, with_admin, with_member, without_member
from domain.direct import direct_id
from domain.errors import Chat4AllError, Conflict, StoreUnavailable
from domain.ports import Joined, NewParticipant
from support.waiting import decided

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW_MS = 1_767_225_600_000


def fresh() -> str:
    return f"c-{uuid.uuid4()}"


async def takes_part(stores, conversation_id: str, user_id: str) -> bool | None:
    """``None``: there is no such conversation."""
    membership = await stores.conversations.membership(conversation_id, user_id)
    return None if membership is None else membership.takes_part


async def test_participants_are_known_and_strangers_are_not(stores):
    conversation = fresh()
    assert await takes_part(stores, conversation, "alice") is None
    assert (
        await stores.conversations.create(conversation, ["alice", "whatsapp:+5511999990000", "alice"], NOW_MS) is True
    )
    assert await takes_part(stores, conversation, "alice") is True
    assert await takes_part(stores, conversation, "whatsapp:+5511999990000") is True
    assert await takes_part(stores, conversation, "mallory") is False


async def test_creating_again_changes_nothing(stores):
    conversation = fresh()
    assert await stores.conversations.create(conversation, ["alice"], NOW_MS) is True
    assert await stores.conversations.create(conversation, ["mallory"], NOW_MS + 1) is False
    assert await takes_part(stores, conversation, "mallory") is False


async def test_a_conversation_may_have_many_participants_or_none_yet(stores):
    crowd, empty = fresh(), fresh()
    assert await stores.conversations.create(crowd, [f"user-{n}" for n in range(256)], NOW_MS) is True
    assert await takes_part(stores, crowd, "user-255") is True
    assert await stores.conversations.create(empty, [], NOW_MS) is True
    assert await takes_part(stores, empty, "alice") is False
    assert await stores.conversations.create(empty, ["alice"], NOW_MS) is False


@pytest.mark.parametrize("odd", ["", "\ud800", 'it\'s; "odd"\n👩'])
async def test_an_odd_id_is_not_known(stores, odd):
    assert await takes_part(stores, odd, "alice") is None
    conversation = fresh()
    await stores.conversations.create(conversation, ["alice"], NOW_MS)
    assert await takes_part(stores, conversation, odd) is False


async def test_of_many_who_create_a_conversation_at_once_exactly_one_does(stores):
    conversation = fresh()

    async def try_to_create(who: str) -> bool:
        return await decided(lambda: stores.conversations.create(conversation, [who], NOW_MS))

    creators = [f"user-{n}" for n in range(10)]
    won = await asyncio.gather(*map(try_to_create, creators))
    inside = [await takes_part(stores, conversation, who) for who in creators]
    assert sum(inside) == 1
    # a transaction that timed out may have been applied: its creator then hears that somebody has been faster
    assert sum(won) <= 1
    assert [took for took, did in zip(inside, won, strict=True) if did] == [True] * sum(won)


def fresh_pair() -> tuple[str, str, str]:
    """Return the id of a direct conversation and its sides."""
    one, other = sorted((str(uuid.uuid4()), f"whatsapp:+55{uuid.uuid4().int % 10**11}"))
    return direct_id(one, other), one, other


async def test_a_direct_conversation_is_there_with_both_sides(stores):
    conversation, one, other = fresh_pair()
    assert await stores.conversations.get(conversation) is None
    assert await takes_part(stores, conversation, one) is None
    await stores.conversations.begin_direct(conversation, [one, other], NOW_MS, one)
    whole = Conversation(conversation, NOW_MS, (Member(one, NOW_MS), Member(other, NOW_MS)), one, version=1)
    assert await stores.conversations.get(conversation) == whole
    assert await stores.conversations.membership(conversation, one) == Membership(takes_part=True, is_group=False)
    assert await takes_part(stores, conversation, "mallory") is False
    assert list(await stores.conversations.participants(conversation)) == [one, other]
    assert await stores.conversations.of_user(one, 10) == [Joined(conversation, NOW_MS)]
    assert await stores.conversations.create(conversation, ["mallory"], NOW_MS, created_by="mallory") is False
    assert await stores.conversations.get(conversation) == whole


async def test_of_many_who_begin_a_direct_conversation_the_earliest_stays(stores):
    conversation, one, other = fresh_pair()
    at_once = [(NOW_MS + 1 + n, (one, other)[n % 2]) for n in range(8)]
    begin = stores.conversations.begin_direct
    await asyncio.gather(*(begin(conversation, [one, other], at_ms, by) for at_ms, by in reversed(at_once)))
    found = await stores.conversations.get(conversation)
    assert (found.created_at_ms, found.created_by, found.participants) == (NOW_MS + 1, one, [one, other])
    assert {member.joined_at_ms for member in found.members} == {NOW_MS + 1}


async def test_who_is_stored_under_a_direct_id_without_being_a_side_is_not_there(stores):
    conversation, one, other = fresh_pair()
    await stores.conversations.create(conversation, ["mallory", one], NOW_MS, created_by="mallory", name="x")
    for who in ("mallory", one):
        assert await takes_part(stores, conversation, who) is None
    assert await stores.conversations.get(conversation) is None
    assert await stores.conversations.participants(conversation) is None
    await stores.conversations.begin_direct(conversation, [one, other], NOW_MS + 5, other)
    assert await takes_part(stores, conversation, "mallory") is False
    assert list(await stores.conversations.participants(conversation)) == [one, other]
    found = await stores.conversations.get(conversation)
    assert (found.participants, found.name, found.is_group) == ([one, other], None, False)


async def test_a_direct_conversation_of_an_older_release_stays_as_it_was_created(stores):
    conversation, one, other = fresh_pair()
    assert await stores.conversations.create(conversation, [one, other], NOW_MS, created_by=other) is True
    before = await stores.conversations.get(conversation)
    assert before.participants == [one, other]
    await stores.conversations.begin_direct(conversation, [one, other], NOW_MS + 5, one)
    assert await stores.conversations.get(conversation) == before


async def test_participants_are_listed(stores):
    conversation = fresh()
    assert await stores.conversations.participants(conversation) is None
    await stores.conversations.create(conversation, ["bob", "alice"], NOW_MS)
    assert list(await stores.conversations.participants(conversation)) == ["alice", "bob"]


async def test_a_conversation_is_read_as_it_was_created(stores):
    plain, group = fresh(), fresh()
    assert await stores.conversations.get(plain) is None
    await stores.conversations.create(plain, ["bob", "alice"], NOW_MS, created_by="alice")
    await stores.conversations.create(
        group, ["bob", "alice"], NOW_MS, created_by="bob", name="Fam\u00edlia", description="it's us", is_group=True
    )
    assert await stores.conversations.get(plain) == Conversation(
        plain, NOW_MS, (Member("alice", NOW_MS), Member("bob", NOW_MS)), "alice", version=1
    )
    assert await stores.conversations.get(group) == Conversation(
        group,
        NOW_MS,
        (Member("alice", NOW_MS), Member("bob", NOW_MS, is_admin=True)),
        "bob",
        "Fam\u00edlia",
        "it's us",
        is_group=True,
        version=1,
    )


async def test_a_conversation_without_participants_can_be_read(stores):
    empty = fresh()
    await stores.conversations.create(empty, [], NOW_MS)
    assert await stores.conversations.get(empty) == Conversation(empty, NOW_MS, version=1)
    assert list(await stores.conversations.participants(empty)) == []


async def test_membership_says_whether_it_is_a_group(stores):
    plain, group = fresh(), fresh()
    await stores.conversations.create(plain, ["alice"], NOW_MS)
    await stores.conversations.create(group, ["alice"], NOW_MS, is_group=True, name="g")
    assert await stores.conversations.membership(fresh(), "alice") is None
    assert await stores.conversations.membership(plain, "alice") == Membership(takes_part=True, is_group=False)
    assert await stores.conversations.membership(plain, "bob") == Membership(takes_part=False, is_group=False)
    assert await stores.conversations.membership(group, "alice") == Membership(takes_part=True, is_group=True)
    assert await stores.conversations.membership(group, "bob") == Membership(takes_part=False, is_group=True)


async def group_of(stores, *members: str) -> Conversation:
    conversation = fresh()
    await stores.conversations.create(conversation, members, NOW_MS, created_by=members[0], name="group", is_group=True)
    return await stores.conversations.get(conversation)


async def test_a_change_is_made_once_and_refused_to_those_who_read_before_it(stores):
    group = await group_of(stores, "alice", "bob")
    one, other = with_member(group, "alice", "carol", NOW_MS + 5), without_member(group, "alice", "bob")
    assert await stores.conversations.change(group, one) is True
    assert await stores.conversations.change(group, other) is False
    assert await stores.conversations.get(group.conversation_id) == one
    fewer = without_member(with_admin(one, "alice", "carol"), "alice", "bob")
    assert await stores.conversations.change(one, fewer) is True
    assert await stores.conversations.get(group.conversation_id) == fewer
    assert await takes_part(stores, group.conversation_id, "bob") is False
    assert await takes_part(stores, group.conversation_id, "carol") is True
    assert list(await stores.conversations.participants(group.conversation_id)) == ["alice", "carol"]


async def test_who_left_may_come_back(stores):
    group = await group_of(stores, "alice", "bob")
    without = without_member(group, "alice", "bob")
    assert await stores.conversations.change(group, without)
    again = with_member(without, "alice", "bob", NOW_MS + 9)
    assert await stores.conversations.change(without, again)
    assert (await stores.conversations.get(group.conversation_id)).member("bob") == Member("bob", NOW_MS + 9)


async def test_the_last_place_in_a_group_is_given_to_one_only(stores):
    group = await group_of(stores, "alice", *(f"user-{n}" for n in range(MAX_MEMBERS - 2)))

    async def add(who: str) -> str:
        for _ in range(100):
            seen = await stores.conversations.get(group.conversation_id)
            try:
                changed = with_member(seen, "alice", who, NOW_MS)
                if await decided(lambda seen=seen, changed=changed: stores.conversations.change(seen, changed)):
                    return who
            except Conflict:
                return "full"
        raise AssertionError("never decided")

    await asyncio.gather(*(add(f"late-{n}") for n in range(6)))
    assert len(await stores.conversations.participants(group.conversation_id)) == MAX_MEMBERS


async def test_two_admins_who_remove_each_other_do_not_both_succeed(stores):
    group = await group_of(stores, "alice", "bob", "carol")
    both = with_admin(group, "alice", "bob")
    assert await stores.conversations.change(group, both)
    one, other = without_member(both, "alice", "bob"), without_member(both, "bob", "alice")

    async def attempt(after: Conversation) -> bool:
        try:
            return await stores.conversations.change(both, after)
        except Chat4AllError:
            return False

    await asyncio.gather(attempt(one), attempt(other))
    assert len((await stores.conversations.get(group.conversation_id)).admins) >= 1


async def test_a_group_may_have_as_many_members_with_long_ids_as_the_bound_says(stores):
    members = [f"{uuid.uuid4()}" for _ in range(MAX_MEMBERS)]
    conversation = "\u00e9" * 128
    await stores.conversations.create(conversation, members, NOW_MS, created_by=members[0], is_group=True, name="big")
    assert (await stores.conversations.get(conversation)).participants == sorted(members)


async def test_a_users_conversations_are_listed_the_last_joined_first(stores):
    alice, bob, carol = fresh(), fresh(), fresh()
    first, second, third = fresh(), fresh(), fresh()
    assert await stores.conversations.of_user(alice, 9) == []
    await stores.conversations.create(first, [alice, bob, "telegram:5"], NOW_MS)
    await stores.conversations.create(third, [alice], NOW_MS + 2)
    await stores.conversations.create(second, [bob, alice], NOW_MS + 1, created_by=bob, is_group=True, name="g")
    listed = [Joined(third, NOW_MS + 2), Joined(second, NOW_MS + 1), Joined(first, NOW_MS)]
    assert list(await stores.conversations.of_user(alice, 9)) == listed
    assert list(await stores.conversations.of_user(alice, 2)) == listed[:2]
    assert list(await stores.conversations.of_user(bob, 9)) == listed[1:]
    group = await stores.conversations.get(second)
    changed = with_member(without_member(group, bob, alice), bob, carol, NOW_MS + 7)
    assert await stores.conversations.change(group, changed)
    assert list(await stores.conversations.of_user(alice, 9)) == [listed[0], listed[2]]
    assert list(await stores.conversations.of_user(carol, 9)) == [Joined(second, NOW_MS + 7)]


async def test_who_joins_takes_part_once_and_keeps_their_time(stores):
    conversation, phone, carol = fresh(), "whatsapp:+5511999990000", f"carol-{uuid.uuid4()}"
    await stores.conversations.create(conversation, ["alice"], NOW_MS, created_by="alice", name="Plans")
    for at_ms in (NOW_MS + 1, NOW_MS + 2):
        await stores.conversations.join([NewParticipant(conversation, who, at_ms) for who in (phone, "alice")])
    await stores.conversations.join([NewParticipant(conversation, carol, NOW_MS + 3)])
    found = await stores.conversations.get(conversation)
    members = (Member("alice", NOW_MS), Member(carol, NOW_MS + 3), Member(phone, NOW_MS + 1))
    assert found == Conversation(conversation, NOW_MS, members, "alice", "Plans", version=1)
    assert await takes_part(stores, conversation, phone) is True
    assert await stores.conversations.participants(conversation) == ["alice", carol, phone]
    assert list(await stores.conversations.of_user(carol, 9)) == [Joined(conversation, NOW_MS + 3)]


async def test_of_many_who_join_at_once_none_is_lost(stores):
    conversation, phones = fresh(), [f"whatsapp:+55119999900{n:02}" for n in range(20)]
    await stores.conversations.create(conversation, ["alice"], NOW_MS)

    async def join(phone: str) -> None:
        await decided(lambda: stores.conversations.join([NewParticipant(conversation, phone, NOW_MS)]))

    await asyncio.gather(*map(join, phones))
    assert set(await stores.conversations.participants(conversation)) == {"alice", *phones}


async def test_an_outage_is_told_quickly(stores):
    conversation = fresh()
    await stores.conversations.create(conversation, ["alice"], NOW_MS)
    await stores.off()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await takes_part(stores, conversation, "alice")
        with pytest.raises(StoreUnavailable):
            await stores.conversations.create(fresh(), ["alice"], NOW_MS)
        with pytest.raises(StoreUnavailable):
            await stores.conversations.get(conversation)
        with pytest.raises(StoreUnavailable):
            await stores.conversations.of_user("alice", 5)
        with pytest.raises(StoreUnavailable):
            await stores.conversations.join([NewParticipant(conversation, "telegram:5", NOW_MS)])
        assert time.monotonic() - began < 10
    finally:
        await stores.on()
