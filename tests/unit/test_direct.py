"""Ids of direct conversations, and names of users."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.direct import direct_id, is_direct, is_made, is_of, is_reserved, sides_among
from domain.errors import InvalidRecipient
from domain.records import MAX_CONVERSATION_ID_CHARS
from domain.usernames import names_user, parse_user, username_of

sides = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(sides, sides)
def test_both_sides_have_the_same_id_and_it_is_a_possible_one(one: str, other: str) -> None:
    made = direct_id(one, other)
    assert made == direct_id(other, one)
    assert is_direct(made)
    assert is_reserved(made)
    assert len(made) <= MAX_CONVERSATION_ID_CHARS
    assert made.isprintable()


@given(sides, sides, sides, sides)
def test_other_sides_have_another_id(one: str, other: str, third: str, fourth: str) -> None:
    if sorted((one, other)) != sorted((third, fourth)):
        assert direct_id(one, other) != direct_id(third, fourth)


@given(sides, sides, st.lists(sides, max_size=4))
def test_the_sides_are_found_among_others_and_nobody_else_is(one: str, other: str, others: list[str]) -> None:
    made = direct_id(one, other)
    assert is_made(made)
    assert is_of(made, other, one)
    assert sides_among(made, [*others, other, one]) == tuple(sorted({one, other}))
    strangers = [stranger for stranger in others if stranger not in (one, other)]
    assert sides_among(made, strangers) == ()
    if one != other:
        assert sides_among(made, [*strangers, one]) == ()


@pytest.mark.parametrize(
    "chosen", ["direct:", "direct:x", "direct:" + "g" * 32, "direct:" + "0" * 33, "c-1", "direct:" + "A" * 32]
)
def test_an_id_of_another_form_was_chosen_and_says_nothing(chosen: str) -> None:
    assert not is_made(chosen)
    assert not is_of(chosen, "one", "other")


def test_the_id_of_a_pair_never_changes() -> None:
    """A change would split the threads that there are."""
    assert direct_id("u-1", "whatsapp:+5511999990000") == "direct:4fc811f21353fa6d30228f638ff35645"


@pytest.mark.parametrize(
    "looks_like", ["direct:", "DIRECT:x", " direct:x", "\uff44irect:x", "di\u200drect:x", "direct\uff1ax"]
)
def test_what_looks_like_a_direct_id_is_reserved(looks_like: str) -> None:
    assert is_reserved(looks_like)


@pytest.mark.parametrize("free", ["direct", "redirect:x", "direct-x", "family", "", "x direct:"])
def test_other_ids_are_free(free: str) -> None:
    assert not is_reserved(free)


@pytest.mark.parametrize("text", ["user:maria", "User:MARIA", "USER: Maria "])
def test_a_user_is_named_whatever_the_case(text: str) -> None:
    assert names_user(text)
    assert parse_user(text) == "user:maria"
    assert username_of(parse_user(text)) == "maria"


@pytest.mark.parametrize(
    "text",
    [
        "user:",
        "user:ab",
        "user:" + "a" * 51,
        "user:a-b-c",
        "user:marı\u0301a",
        "user:\u212aaren",
        "user:user:maria",
        "maria",
        "user:whatsapp:+5511999990000",
        "user:0193e2f0-0000-7000-8000-000000000000",
        "user:a\nb",
    ],
)
def test_what_cannot_be_a_username_names_nobody(text: str) -> None:
    with pytest.raises(InvalidRecipient):
        parse_user(text)
