"""Refresh tokens: their text, their hashes, and what a presented one is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import RefreshToken
from domain.refresh_tokens import TokenState, mint, parse, validate

SEEDS, STEPS = st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32)


@given(SEEDS, STEPS, STEPS)
def test_tokens_of_a_session_share_its_id_and_have_hashes_of_their_own(seed: bytes, one: bytes, other: bytes) -> None:
    first, second = parse(mint(seed, one)), parse(mint(seed, other))
    assert first is not None
    assert second is not None
    assert first.session_id == second.session_id
    assert first.seed == seed
    assert (first.token_hash == second.token_hash) == (one == other)


@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "change",
    [str.upper, str.strip, lambda text: text + "\n", lambda text: text[4:], lambda text: text.replace("c4r_", "C4R_")],
)
def test_a_token_has_one_spelling(change: object) -> None:
    token = mint(b"\x01" * 16, b"\x02" * 32)
    changed = change(token)  # type: ignore[operator]
    assert changed == token or parse(changed) is None or parse(changed) != parse(token)


@pytest.mark.parametrize(("seed", "step"), [(b"", b"x" * 32), (b"x" * 16, b"x" * 31)])
def test_a_token_needs_all_its_bytes(seed: bytes, step: bytes) -> None:
    with pytest.raises(ValueError, match="expected 16 and 32"):
        mint(seed, step)


def test_a_presented_token_is_judged_by_what_its_session_holds() -> None:
    current, used = parse(mint(b"s" * 16, b"2" * 32)), parse(mint(b"s" * 16, b"1" * 32))
    assert current is not None
    assert used is not None
    held = RefreshToken(current.session_id, "u-1", current.token_hash, expires_at_ms=1000)
    assert validate(held, current, 999) is TokenState.CURRENT
    assert validate(held, used, 999) is TokenState.REUSED
    assert validate(held, current, 1000) is TokenState.EXPIRED
    assert validate(None, current, 0) is TokenState.UNKNOWN
