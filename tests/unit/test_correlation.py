"""The token that channels echo names the conversation and the delivery."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.correlation import split_token, token_of
from domain.records import DeliveryRequested

ids = st.text(st.characters(exclude_characters="\x1f"), min_size=1, max_size=120)


@given(ids, ids)
def test_a_token_leads_back_to_its_request(conversation_id: str, message_id: str) -> None:
    request = DeliveryRequested(message_id, conversation_id, "ana", "whatsapp:+5511999990000", "hi", None, 1, 2)
    assert split_token(token_of(request)) == split_token(token_of(request, 12)) == (conversation_id, message_id)


@pytest.mark.parametrize(
    "token", ["", "c-1", "\x1fm", "c\x1f", "a\x1fb\x1fc", "a\x1fb\x1f", "a\x1fb\x1f2\x1f3", "c\x1f" + "m" * 511]
)
def test_another_text_is_no_token(token: str) -> None:
    assert split_token(token) is None
