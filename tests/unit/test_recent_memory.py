"""What an API process keeps of messages is what its own account says, however many have passed."""

from __future__ import annotations

import pytest

from loadtests.recent_memory import measure


def test_nothing_is_held_beside_the_recent_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(500, 6_000, is_traced=True)
    assert "500 held" in capsys.readouterr().out
