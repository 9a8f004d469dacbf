"""The points at which a test kills a process: none is missing between two awaits that a message depends on."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from app import clock, fault_points

ROOT = Path(fault_points.__file__).parent.parent
# where a message is between two awaits: file, function, and the awaits after which nothing has happened yet
PATH = [
    ("app/kafka/batch_producer.py", "_transmit", set()),
    ("app/faust/checkpoint.py", "_complete", set()),
    ("app/faust/consumer.py", "_commit_offsets", set()),
    ("agents/calls.py", "_deliver", {"attachments.prepare(", "self._end("}),  # both have points of their own
    ("agents/calls.py", "_end", set()),
    ("agents/mirror.py", "_persist", {"asyncio.sleep(", "self._one_by_one("}),
]


def _reached(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reach":
            yield from _texts(node.args[0])


def _texts(argument: ast.expr) -> list[str]:
    if isinstance(argument, ast.Constant):
        return [str(argument.value)]
    assert isinstance(argument, ast.JoinedStr)
    end = argument.values[-1]
    assert isinstance(end, ast.Constant)
    return [f"{kind}{end.value}" for kind in ("produce", "changelog")]


def test_the_code_reaches_each_point_and_no_other() -> None:
    folders = ("app", "agents", "web", "tables", "storage", "channels")
    sources = [file for name in folders for file in (ROOT / name).rglob("*.py") if file.name != "fault_points.py"]
    texts = [file.read_text(encoding="utf-8") for file in sources]
    armed = [text for text in texts if "from app.fault_points import reach" in text]
    found = {point for text in armed for point in _reached(ast.parse(text))}
    assert found == set(fault_points.POINTS)


@pytest.mark.parametrize(("file", "function", "apart"), PATH)
def test_no_await_of_the_path_of_a_message_is_without_a_point(file: str, function: str, apart: set[str]) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    made = next(
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AsyncFunctionDef) and node.name == function
    )
    steps = sorted(
        [
            (node.lineno, node.col_offset, "await", ast.unparse(node.value))
            for node in ast.walk(made)
            if isinstance(node, ast.Await) and not any(ast.unparse(node.value).startswith(name) for name in apart)
        ]
        + [
            (node.lineno, node.col_offset, "point", "")
            for node in ast.walk(made)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reach"
        ]
    )
    kinds = [kind for _, _, kind, _ in steps]
    assert "await" in kinds
    assert kinds[-1] == "point", f"nothing after {steps[-1]}"
    together = [(one, other) for one, other in pairwise(steps) if one[2] == other[2] == "await"]
    assert not together


def _run(folder: Path, code: str) -> int:
    program = f"from app import clock, fault_points\nfault_points.arm('core')\n{code}"
    environ = {fault_points.VARIABLE: str(folder), "PATH": ""}
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environ, timeout=30, check=False).returncode


def test_a_point_ends_one_process_as_a_crash_does(tmp_path: Path) -> None:
    (tmp_path / "core.committed").write_text("")
    code = "fault_points.reach('consumed'); fault_points.reach('committed')"
    assert _run(tmp_path, code) == -signal.SIGKILL
    assert not list(tmp_path.iterdir())
    assert _run(tmp_path, code) == 0


def test_a_point_is_passed_as_often_as_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "core.committed").write_text("2")
    assert _run(tmp_path, "fault_points.reach('committed'); fault_points.reach('committed')") == 0
    assert _run(tmp_path, "[fault_points.reach('committed') for _ in range(3)]") == -signal.SIGKILL


def test_a_point_of_another_role_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "whatsapp.committed").write_text("")
    assert _run(tmp_path, "fault_points.reach('committed')") == 0


def test_a_file_steps_the_clock(tmp_path: Path) -> None:
    (tmp_path / "core.clock").write_text("3600000")
    code = """
before = clock.now_ms()
fault_points.reach('consumed')
assert 3_599_000 < clock.now_ms() - before < 3_610_000
"""
    assert _run(tmp_path, code) == 0


def test_without_the_variable_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fault_points.arm("core", {})
    fault_points.reach("no such point")
    assert clock.now_ms() > 0


@pytest.mark.parametrize(
    ("role", "some"),
    [("core", "consumed"), ("whatsapp", "called"), ("mirror", "mirror-leaves"), ("api", "upload-part")],
)
def test_each_role_has_points(role: str, some: str) -> None:
    points = fault_points.points_of(role)
    assert some in points
    assert len(points) >= 5
