"""What is installed: pinned exactly, and no part with a known weakness in use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# packages with an advisory and without a fix, that others bring along (docs/security.md)
UNUSED = ("ecdsa", "rsa")


def test_every_dependency_is_pinned_exactly() -> None:
    lines = [line.strip() for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    loose = [line for line in lines if line and line[0] != "#" and not re.fullmatch(r"[\w.\-]+==[\w.+!]+", line)]
    assert not loose


def test_no_process_imports_a_package_with_a_known_weakness() -> None:
    program = (
        "import sys; import web.server, web.accounts.tokens, app.faust.stream_app; "
        f"print([name for name in {UNUSED} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
