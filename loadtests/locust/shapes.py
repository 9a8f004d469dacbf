"""Shapes of load: how many users there are at each moment. Pure; ``locustfile.py`` gives them to Locust."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

RAMP_SECONDS = 20.0
SPIKE_FACTOR = 10
STEP_SECONDS = 30.0
MOST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Stage:
    """``users`` for ``seconds``, reached by starting (or stopping) ``per_second`` of them.

    ``is_measured``: its figures stand in the report; a ramp's do not.
    """

    name: str
    seconds: float
    users: int
    per_second: float
    is_measured: bool = True


@dataclass(frozen=True, slots=True)
class Shape:
    """Stages in their order. ``ends_at_limit``: the run ends as soon as a limit is broken."""

    name: str
    about: str
    stages: tuple[Stage, ...]
    ends_at_limit: bool = False

    @property
    def most_users(self) -> int:
        """The largest number of users of any stage."""
        return max(stage.users for stage in self.stages)

    @property
    def seconds(self) -> float:
        """Length of the whole run."""
        return sum(stage.seconds for stage in self.stages)

    def at(self, seconds: float) -> Stage | None:
        """Return the stage so long after the start; ``None`` after the end."""
        for stage in self.stages:
            if seconds < stage.seconds:
                return stage
            seconds -= stage.seconds
        return None


def _ramp(users: int) -> Stage:
    return Stage("warm-up", RAMP_SECONDS, users, max(1.0, users / (RAMP_SECONDS / 2)), is_measured=False)


def warm_up(users: int, seconds: float) -> Shape:
    """Return a slow climb to ``users``."""
    stage = Stage("climb", seconds, users, max(0.1, users / seconds))
    return Shape("warm-up", f"a climb to {users} users in {seconds:g} s", (stage,))


def baseline(users: int, seconds: float) -> Shape:
    """Return ``users`` all the time."""
    steady = Stage("steady", seconds, users, users)
    return Shape("baseline", f"{users} users for {seconds:g} s", (_ramp(users), steady))


def spike(users: int, seconds: float) -> Shape:
    """Return ten times as many users for a third of the time."""
    third, many = seconds / 3, users * SPIKE_FACTOR
    stages = (
        _ramp(users),
        Stage("before", third, users, users),
        Stage(f"spike ×{SPIKE_FACTOR}", third, many, many / 5),
        Stage("after", third, users, many),
    )
    return Shape("spike", f"{users} users, {many} for {third:g} s, {users} again", stages)


def soak(users: int, seconds: float) -> Shape:
    """Return the same load for a long time, in six parts, to see what creeps."""
    parts = tuple(Stage(f"part {n}", seconds / 6, users, users) for n in range(1, 7))
    return Shape("soak", f"{users} users for {seconds / 60:g} min", (_ramp(users), *parts))


def break_point(users: int, seconds: float) -> Shape:
    """Return ``users`` more at each step, until a limit is broken. ``seconds``: length of a step."""
    steps = tuple(Stage(f"{n * users} users", seconds, n * users, users) for n in range(1, MOST_STEPS + 1))
    return Shape("break-point", f"{users} users more every {seconds:g} s", steps, ends_at_limit=True)


_Maker = Callable[[int, float], Shape]
SHAPES: dict[str, tuple[_Maker, float]] = {
    "warm-up": (warm_up, 60.0),
    "baseline": (baseline, 300.0),
    "spike": (spike, 360.0),
    "soak": (soak, 1_800.0),
    "break-point": (break_point, STEP_SECONDS),
}


def shape_named(name: str, users: int, seconds: float = 0.0) -> Shape:
    """Return the shape ``name``; ``seconds`` 0: its usual length. Raises ``ValueError`` naming the known ones."""
    if name not in SHAPES:
        raise ValueError(f"no shape {name!r}: expected one of {', '.join(SHAPES)}")
    maker, usual_seconds = SHAPES[name]
    return maker(users, seconds or usual_seconds)


def chosen(journeys: Sequence[str], tags: Sequence[str]) -> set[str]:
    """Return the journeys named in ``tags``, all if none is named. Raises ``ValueError`` for an unknown one."""
    if unknown := sorted(set(tags) - set(journeys)):
        raise ValueError(f"no journey {', '.join(unknown)}: expected some of {', '.join(journeys)}")
    return set(tags) or set(journeys)
