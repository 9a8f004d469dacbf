"""Tests that share servers are kept together, in a useful order."""

from __future__ import annotations

import ast
from pathlib import Path

from support.scheduling import ORDER, SYSTEM, SYSTEM_FILES, group_of

TESTS = Path(__file__).parents[1]


def uses_the_shared_system(path: Path) -> bool:
    """Return whether a test of the file takes ``system`` and the file defines no fixture of that name."""
    functions = [
        f for f in ast.walk(ast.parse(path.read_text())) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    tests = [f for f in functions if f.name.startswith("test_")]
    takes = any(argument.arg == "system" for test in tests for argument in test.args.args)
    return takes and not any(f.name == "system" for f in functions)


def test_the_files_that_use_the_shared_system_are_one_group() -> None:
    assert {path.name for path in (TESTS / "e2e").glob("test_*.py") if uses_the_shared_system(path)} == SYSTEM_FILES
    assert {group_of(f"tests/e2e/{name}::test_x[a::b]") for name in SYSTEM_FILES} == {SYSTEM}


def test_other_files_are_groups_by_themselves_and_those_in_the_order_exist() -> None:
    assert group_of("tests/e2e/test_rounds.py::test_x") == "e2e/test_rounds.py"
    assert [group for group in ORDER if group != SYSTEM and not (TESTS / group).exists()] == []
    assert len(set(ORDER)) == len(ORDER)
