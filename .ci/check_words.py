"""Fail when code uses a private word that has a standard term: ``.ci/words`` lists the banned expressions.

A line of that file is a regular expression for Python, matched in the product's code (no tests, no documentation).
Blank lines and lines that begin with ``#`` are comments.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print every use of a banned word; return 1 if there is one."""
    lines = (ROOT / ".ci" / "words").read_text().splitlines()
    banned = re.compile("|".join(f"(?:{line})" for line in lines if line and not line.startswith("#")))
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = 0
    for name in listed.split():
        if name.startswith(("tests/", ".ci/")):
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if match := banned.search(line):
                print(f"{name}:{number}: {match.group()!r} has a standard term; see .ci/words")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
