"""What counts as one emoji."""

from __future__ import annotations

import pytest

from domain.emoji import is_emoji


@pytest.mark.parametrize("text", ["👍", "❤", "❤️", "👍🏽", "👨‍👩‍👧‍👦", "🇧🇷", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#️⃣", "☃", "‼️", "〰️", "Ⓜ️", "🫨"])
def test_an_emoji_is_one(text: str) -> None:
    assert is_emoji(text)


@pytest.mark.parametrize(
    "text", ["", "a", "é", "ab", "👍👍", "1", "!", " ", "\u200d", "\u00a0", "👍 ", "x" * 40, "\x00"]
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_emoji(text)
