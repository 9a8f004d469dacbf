"""The map of the repository is true: what its pages name exists, and every room of the tree is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = ROOT / "docs" / "architecture.md"
PAGES = (MAP, ROOT / "CONTRIBUTING.md", ROOT / "docs" / "adr" / "README.md", ROOT / "README.md")
# rooms of which each folder is one line of the map; in the others a line covers all folders
DIVIDED = ("app", "storage", "tests", "web")
NO_ROOMS = ("docs", "tests/recordings")
PATH = re.compile(r"`([a-z0-9_.]+/[A-Za-z0-9_./*-]*)`")
OF_A_RUN = (".chat4all/",)  # made where the system runs
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
TARGET = re.compile(r"`make ([a-z-]+)")


def folders(room: Path) -> set[str]:
    """Return the folders directly in ``room`` that hold files of git's, by path from the root."""
    hidden = {"__pycache__", "build", "dist"}
    inner = (path for path in room.iterdir() if path.is_dir() and path.name not in hidden)
    return {
        str(path.relative_to(ROOT))
        for path in inner
        if not path.name.startswith(".") and not path.name.endswith(".egg-info") and any(path.rglob("*.*"))
    }


def exists(path: str) -> bool:
    """Whether something has this path from the root, or from a room that the line names before it."""
    return any(any(ROOT.glob(before + path.rstrip("/"))) for before in ("", "[a-z]*/", "[a-z]*/[a-z]*/"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    links = {path for path in LINK.findall(text) if not (page.parent / path).exists()}
    named = {path for path in PATH.findall(text) if path not in OF_A_RUN and not exists(path)}
    made = {
        target for target in TARGET.findall(text) if not re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text())
    }
    assert (links, named, made) == (set(), set(), set())


def test_every_room_is_on_the_map() -> None:
    text = MAP.read_text()
    rooms = folders(ROOT).union(*(folders(ROOT / name) for name in DIVIDED)).difference(NO_ROOMS)
    assert not {room for room in rooms if f"`{room}/" not in text}
