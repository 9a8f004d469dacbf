"""Fail when code or documentation uses a private word that has a standard term: ``.ci/words`` lists the expressions.

A line of that file is a regular expression for Python. Blank lines and lines that begin with ``#`` are comments.
Python files are searched whole, tests too. Markdown is searched in its code (spans and blocks), since its prose may
need an English word. ``docs/adr`` and the changelog tell the past and may quote its names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAST = (".ci/", "docs/adr/", "CHANGELOG.md")
FENCE, SPAN = "```", re.compile(r"`([^`]+)`")


def main() -> int:
    """Print every use of a banned word; return 1 if there is one."""
    lines = (ROOT / ".ci" / "words").read_text().splitlines()
    banned = re.compile("|".join(f"(?:{line})" for line in lines if line and not line.startswith("#")))
    command = ["git", "ls-files", "*.py", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = 0
    for name in listed.split():
        if name.startswith(PAST):
            continue
        text = (ROOT / name).read_text()
        for number, line in code_of(text) if name.endswith(".md") else enumerate(text.splitlines(), 1):
            if match := banned.search(line):
                print(f"{name}:{number}: {match.group()!r} has a standard term; see .ci/words")
                found += 1
    return 1 if found else 0


def code_of(markdown: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and the text of each code span, and of each line of a code block."""
    is_block = False
    for number, line in enumerate(markdown.splitlines(), 1):
        if line.lstrip().startswith(FENCE):
            is_block = not is_block
        elif is_block:
            yield number, line
        else:
            yield from ((number, span) for span in SPAN.findall(line))


if __name__ == "__main__":
    sys.exit(main())
