"""Points between two awaits at which a test ends this process as a crash does.

``CHAT4ALL_FAULTS`` names a folder. While the folder holds a file ``<role>.<point>``, the process that next reaches the
point removes the file and kills itself with SIGKILL. One process alone can remove it, so a point ends one process. The
file holds how many times the point is passed first; an empty file means none. A file ``<role>.clock`` holds by how
many milliseconds the clock is wrong. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from app import clock

VARIABLE = "CHAT4ALL_FAULTS"
CLOCK = "clock"

_WORKER = ("core", "mirror", "channel")
# point → the kinds of roles that reach it, and where it is
POINTS: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "recovered": (_WORKER, "the tables are recovered; no batch has been taken"),
        "consumed": (_WORKER, "a batch is fetched; its agent does not have it"),
        "produce-leaves": (("core", "channel", "api"), "records wait for the broker; nothing has left"),
        "produce-on-its-way": (
            ("core", "channel", "api"),
            "records have left; the broker has not answered",
        ),
        "produce-acknowledged": (("core", "channel", "api"), "the broker has the records; nobody here knows"),
        "changelog-leaves": (("core", "channel"), "a row is in the store; its changelog record has not left"),
        "changelog-on-its-way": (("core", "channel"), "a changelog record has left; the broker has not answered"),
        "changelog-acknowledged": (("core", "channel"), "the changelog has the row; nobody here knows"),
        "begun": (("channel",), "the row says BEGUN; that is not durable"),
        "begun-durable": (("channel",), "BEGUN is durable; the provider is not called"),
        "called": (("channel",), "the provider has answered; nothing says so"),
        "outcome-written": (("channel",), "the outcome waits for the broker"),
        "outcome-durable": (("channel",), "the outcome is durable; its slot is not free"),
        "mirror-leaves": (("mirror",), "rows are gathered; Cassandra has none"),
        "mirror-between": (("mirror",), "Cassandra has the inbound side of the rows alone"),
        "mirror-written": (("mirror",), "Cassandra has the rows; the batch is not complete"),
        "effects-durable": (_WORKER, "all that follows from a batch is durable; the batch is not complete"),
        "commit-leaves": (_WORKER, "offsets are to be committed"),
        "committed": (_WORKER, "the broker has the commit; nobody here knows"),
        "upload-part": (("api",), "a part of a file has come; the store does not have it"),
        "upload-whole": (("api",), "the store has the last part; nothing says so"),
    }
)


class UnknownPoint(Exception):
    """A point that ``POINTS`` does not have."""


class _Armed:
    def __init__(self, folder: Path, role: str) -> None:
        self._folder = folder
        self._role = role
        self._passed: Counter[str] = Counter()

    def reach(self, point: str) -> None:
        if point not in POINTS:
            raise UnknownPoint(point)
        self._set_clock()
        file = self._folder / f"{self._role}.{point}"
        try:
            passes = int(file.read_text() or 0)
        except (FileNotFoundError, ValueError):  # a file that is just being written is looked at next time
            self._passed.pop(point, None)
            return
        self._passed[point] += 1
        if self._passed[point] <= passes:
            return
        try:
            file.unlink()
        except FileNotFoundError:  # another process of the role was faster
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def _set_clock(self) -> None:
        try:
            clock.step_to(int((self._folder / f"{self._role}.{CLOCK}").read_text()))
        except (FileNotFoundError, ValueError):
            clock.step_to(0)


_armed: _Armed | None = None


def arm(role: str, environ: Mapping[str, str] = os.environ) -> None:
    """Look for faults from now on, if ``environ`` names their folder."""
    global _armed
    folder = environ.get(VARIABLE, "")
    _armed = _Armed(Path(folder), role) if folder else None


def reach(point: str) -> None:
    """End the process here if a test says so. Raises ``UnknownPoint``, in a test alone."""
    if _armed is not None:
        _armed.reach(point)


def points_of(role: str) -> list[str]:
    """Return the points that a process of ``role`` reaches: ``core``, ``mirror``, ``api``, or a channel."""
    kind = role if role in ("core", "mirror", "api") else "channel"
    return [name for name, (kinds, _) in POINTS.items() if kind in kinds]
