"""What is installed is what was tested: constraints.txt pins everything, and names no place to get it from."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_line_is_an_exact_version_and_nothing_else() -> None:
    assert [line for line in pins() if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []


def test_every_requirement_of_every_extra_is_pinned() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    wanted = {normal(re.split(r"[\s\[<>=!~;]", line)[0]) for text in lists for line in text.split("\n") if line.strip()}
    wanted.remove("chat4all")  # an extra that includes another one
    assert wanted - {normal(line.partition("==")[0]) for line in pins()} == set()
