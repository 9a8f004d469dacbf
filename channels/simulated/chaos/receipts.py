"""The receipts of a taken message: pure, and the same for the same seed, token and number of its taking."""

from __future__ import annotations

from dataclasses import dataclass, replace

from channels.simulated.chaos.chance import Chance
from channels.simulated.chaos.faults import Faults
from domain.status import Status

FAILED_LATER = "undeliverable"
_YEAR_MS = 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class PlannedReceipt:
    """A receipt, due ``after_seconds`` from the taking. ``at_ms``: the time it names."""

    after_seconds: float
    status: Status
    at_ms: int
    failure_code: str | None = None
    with_token: bool = True


def plan(faults: Faults, token: str, times: int, taken_ms: int) -> list[PlannedReceipt]:
    """Return the receipts of the message ``token``, taken at ``taken_ms``, in the order of their times.

    ``times``: how often ``token`` was taken, this time included.
    """
    chance = Chance(faults.seed, token, times)
    planned = _words(faults, chance, taken_ms)
    if chance.of("disorder") < faults.disorder_share and len(planned) > 1:
        first, *others, last = planned
        first, last = (
            replace(first, after_seconds=last.after_seconds),
            replace(last, after_seconds=first.after_seconds),
        )
        planned = [last, *others, first]
    if chance.of("late") < faults.late_share:
        planned = [replace(each, after_seconds=each.after_seconds + faults.late_seconds) for each in planned]
    if chance.of("impossible") < faults.impossible_time_share:
        planned = [replace(each, at_ms=_impossible_ms(chance, each.at_ms)) for each in planned]
    if chance.of("tokenless") < faults.tokenless_share:
        planned = [replace(each, with_token=False) for each in planned]
    if chance.of("twice") < faults.twice_share:
        planned += [replace(each, after_seconds=each.after_seconds + 0.05) for each in planned]
    return sorted(planned, key=lambda each: each.after_seconds)


def _words(faults: Faults, chance: Chance, taken_ms: int) -> list[PlannedReceipt]:
    if chance.of("never delivered") < faults.never_delivered_share:
        return []
    after_seconds = chance.within("delivered", faults.delivered_seconds)
    planned: list[PlannedReceipt] = []
    if chance.of("fails later") < faults.fail_later_share:
        planned.append(PlannedReceipt(after_seconds, Status.FAILED, _at(taken_ms, after_seconds), FAILED_LATER))
        if chance.of("heals") >= faults.heal_share:
            return planned
        after_seconds += 0.1
    planned.append(PlannedReceipt(after_seconds, Status.DELIVERED, _at(taken_ms, after_seconds)))
    if chance.of("never read") >= faults.never_read_share:
        after_seconds += chance.within("read", faults.read_seconds)
        planned.append(PlannedReceipt(after_seconds, Status.READ, _at(taken_ms, after_seconds)))
    return planned


def _at(taken_ms: int, after_seconds: float) -> int:
    return taken_ms + int(after_seconds * 1000)


def _impossible_ms(chance: Chance, at_ms: int) -> int:
    return chance.one_of("impossible time", (at_ms * 1000, -_YEAR_MS, at_ms + 10 * _YEAR_MS))
