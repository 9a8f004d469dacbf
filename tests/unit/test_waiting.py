"""The helpers that wait, and the rule that no other file of tests lets time pass."""

from __future__ import annotations

import ast
import asyncio
import time
from pathlib import Path

import pytest

from support.waiting import persistently, stays, until

TESTS = Path(__file__).parents[1]
WAITING = TESTS / "support" / "waiting.py"
VIRTUAL = TESTS / "support" / "days"  # its loop's time is virtual: nothing waits


def sleeps_in(source: str) -> list[int]:
    """Return the lines with a call of a ``sleep``, other than ``asyncio.sleep(0)``, which lets others run."""
    return [
        call.lineno
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("asyncio.sleep", "time.sleep", "sleep")
        and [ast.unparse(argument) for argument in call.args] != ["0"]
    ]


def test_no_test_sleeps_and_hopes() -> None:
    assert sleeps_in(WAITING.read_text())
    found = {
        f"{path.relative_to(TESTS)}:{line}"
        for path in TESTS.rglob("*.py")
        if path != WAITING and VIRTUAL not in path.parents
        for line in sleeps_in(path.read_text())
    }
    assert not found, "wait for a condition, or say what the time is for: support.waiting"


async def test_until_returns_when_a_condition_holds_and_raises_when_it_does_not_in_time() -> None:
    looks = iter([False, False, True])

    async def holds() -> bool:
        return next(looks)

    await until(holds, look_seconds=0)
    assert list(looks) == []
    with pytest.raises(TimeoutError):
        await until(lambda: False, 0.01)


async def test_stays_looks_from_the_begin_to_the_end() -> None:
    began = time.monotonic()
    await stays(lambda: True, 0.03)
    assert time.monotonic() - began >= 0.03
    with pytest.raises(AssertionError, match=r"held for 0\.0\d\d s of 5 s"):
        await stays(lambda: time.monotonic() - began < 0.06, 5)
    with pytest.raises(AssertionError):
        await stays(lambda: False, 0)


async def test_persistently_calls_again_after_these_errors_alone_and_raises_the_last() -> None:
    errors = [OSError("one"), OSError("two")]

    async def call() -> str:
        await asyncio.sleep(0)
        if errors:
            raise errors.pop(0)
        return "done"

    assert await persistently(call, OSError, pause=0) == "done"
    errors[:] = [ValueError("another")]
    with pytest.raises(ValueError, match="another"):
        await persistently(call, OSError, pause=0)
    errors[:] = [OSError("late")]
    with pytest.raises(OSError, match="late"):
        await persistently(call, OSError, seconds=-1, pause=0)
