"""A row of the matrix, and the findings of a run of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadtests.faults.world import World

Act = Callable[["World"], Awaitable[object]]

PLAIN_WORLD, CLUSTER_WORLD = "one broker", "three brokers"


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. ``how``: how it is made, in words. ``act`` makes it and ends it; it returns a remark or nothing.

    ``load_seconds``: least length of the load, which goes on until the act is over. ``after_seconds``: load after it.
    ``within_seconds``: bound of the longest time in which a partition may stand still. ``expects``: alerts of
    docker/observability whose signal must have moved. ``may_refuse``: whether the API may answer 503.
    """

    name: str
    group: str
    how: str
    act: Act
    expects: Sequence[str] = ()
    load_seconds: float = 4.0
    after_seconds: float = 3.0
    per_second: float = 30.0
    within_seconds: float = 15.0
    may_refuse: bool = False
    settle_seconds: float = 60.0
    world: str = PLAIN_WORLD
    is_short: bool = False


@dataclass(slots=True)
class Found:
    """The findings of a run of a row.

    ``still_seconds``: the longest time without a SENT of a partition, since the fault began. ``on_seconds``: from the
    end of the act until each partition had a SENT again. ``held``: most messages open at once.
    ``signals``: what an operator saw, in words, by alert. ``faults``: what was wrong; none if the row is good.
    """

    row: Row
    accepted: int = 0
    read: int = 0
    failed: int = 0
    refused: int = 0
    uncertain: int = 0
    lost: int = 0
    twice: int = 0
    disordered: int = 0
    held: int = 0
    fault_seconds: float = 0.0
    still_seconds: float = 0.0
    on_seconds: float = 0.0
    row_seconds: float = 0.0
    restarts: int = 0
    load_average: float = 0.0
    remark: str = ""
    audit: str = ""
    signals: Mapping[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        verdict = "ok " if self.is_good else "BAD"
        text = (
            f"{verdict} {self.row.name}: {self.accepted} accepted, {self.lost} lost, {self.twice} twice, "
            f"{self.disordered} out of order, {self.failed} FAILED, {self.held} held at most; "
            f"still {self.still_seconds:.1f} s, "
            f"on after {self.on_seconds:.1f} s; {self.restarts} restarts; audit {self.audit}; "
            f"sees {', '.join(self.signals) or 'nothing'}; {self.row_seconds:.0f} s {self.remark}"
        )
        return "\n".join([text, *(f"      {fault}" for fault in self.faults)])
