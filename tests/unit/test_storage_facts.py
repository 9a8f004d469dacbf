"""Facts as texts, months, and what can be a key."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import LogPosition
from domain.status import Fact, MessageState, Status
from storage.cassandra.facts import (
    MAX_KEY_BYTES,
    bucket_of,
    decode_fact,
    encode_fact,
    first_wins,
    is_possible_key,
    state_of,
)

texts = st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50)
facts = st.builds(
    Fact, st.sampled_from(list(Status)).map(str), st.integers(0, 2**53), st.integers(0, 99), texts, texts, texts
)
shared = st.builds(
    Fact,
    st.sampled_from(list(Status)).map(str),
    st.integers(0, 2**53),
    st.integers(0, 99),
    texts,
    texts,
    texts,
    st.sampled_from(["", "instagram:@maria"]),
    st.integers(2, 256),
    pricing=texts,
)
priced = st.builds(
    Fact, st.just("SENT"), st.integers(0, 2**53), logged_ms=st.just(0) | st.integers(1, 2**53), pricing=texts
)


@given(facts | shared | priced)
def test_a_fact_comes_back_whole(fact):
    found = decode_fact(encode_fact(fact))
    assert found == fact
    assert found.logged_ms == fact.logged_ms


@given(facts)
def test_a_fact_has_one_text_without_trailing_nulls(fact):
    text = encode_fact(fact)
    assert text == encode_fact(Fact(Status(fact.status), *orjson.loads(text)[1:]))
    assert orjson.loads(text)[-1] is not None


def test_a_fact_is_short():
    assert encode_fact(Fact("SENT", 1732312312345, 1, "sim.abc")) == '["SENT",1732312312345,1,"sim.abc"]'
    assert encode_fact(Fact("READ", 1732312312345)) == '["READ",1732312312345,0]'
    logged = Fact("SENT", 1732312312345, 1, "sim.abc", logged_ms=1732312312377)
    assert encode_fact(logged) == '["SENT",1732312312345,1,"sim.abc",null,null,null,1,32]'
    assert decode_fact(encode_fact(logged)).logged_ms == 1732312312377
    assert encode_fact(Fact(Status.FAILED, 5, 1, None, "blocked")) == '["FAILED",5,1,null,"blocked"]'


def test_a_fact_about_one_of_several_names_it_and_their_number():
    fact = Fact("READ", 5, 1, "p", recipient_id="instagram:@maria", recipient_count=3)
    assert encode_fact(fact) == '["READ",5,1,"p",null,null,"instagram:@maria",3]'
    assert encode_fact(Fact("ACCEPTED", 5, recipient_count=3)) == '["ACCEPTED",5,0,null,null,null,null,3]'


def test_a_long_detail_is_cut_so_that_it_can_be_stored():
    assert len(encode_fact(Fact("FAILED", 5, 1, None, "x", "👩" * 100_000)).encode()) < MAX_KEY_BYTES


def test_what_a_later_release_wrote_does_not_break_this_one():
    assert decode_fact('["RECALLED",5,1]') is None
    assert decode_fact('["SENT",5,1,null,null,null,"new"]') == Fact("SENT", 5, 1)
    assert state_of(LogPosition(3, 0), ['["RECALLED",5,1]']) == MessageState(accepted_at_ms=3)


def test_a_row_without_facts_is_accepted_at_its_place():
    assert state_of(LogPosition(3, 0), None).status == Status.ACCEPTED
    assert state_of(LogPosition(3, 0), []).accepted_at_ms == 3


@pytest.mark.parametrize(
    ("at_ms", "month"),
    [(0, 197001), (1_767_225_599_999, 202512), (1_767_225_600_000, 202601), (1_772_323_200_000, 202603)],
)
def test_a_month_is_utc(at_ms, month):
    assert bucket_of(at_ms) == month


@pytest.mark.parametrize(
    ("text", "possible"),
    [("", False), ("c", True), ("é" * 40_000, False), ("x" * MAX_KEY_BYTES, True), ("\ud800", False)],
)
def test_a_key_is_not_empty_not_too_long_and_unicode(text, possible):
    assert is_possible_key(text) is possible


@given(st.integers(1, 2**44), st.integers(0, 999_998), st.integers(0, 999))
def test_the_first_place_has_the_latest_write_and_a_deletion_is_later_still(ms: int, offset: int, later: int) -> None:
    first = first_wins(LogPosition(ms, offset), ms * 1000)
    assert first_wins(LogPosition(ms, offset + 1), ms * 1000) < first
    assert first_wins(LogPosition(ms + 1 + later, 0), (ms + 1 + later) * 1000) < first < 0
