"""An alert, and its trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """``bad`` series make the alert fire after ``fires_after``; ``good`` ones never do. ``labels``: of the alert.

    ``bad``: series, values, and the later values that end the alert by ``resolved_after``. ``good``: series and values.
    """

    bad: Sequence[tuple[str, str, str]]
    good: Sequence[tuple[str, str]]
    fires_after: str
    resolved_after: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Alert:
    """``expression`` true for ``lasts`` fires. ``severity``: page (now) or ticket (today). ``about``: one sentence.

    ``role``: of alerts that there are once for each role.
    """

    name: str
    expression: str
    lasts: str
    severity: str
    about: str
    trial: Trial
    role: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule. Its trial: ``series`` (with values for 60 minutes), and its ``samples`` after them."""

    name: str
    expression: str
    series: Sequence[tuple[str, str]]
    samples: Sequence[tuple[str, float]]


def grew(counter: str, window: str, above: float, by: str = "") -> str:
    """Return an expression: a counter grew by more than ``above`` in ``window``. ``by``: labels, all together if none.

    ``increase`` alone does not see the event with which a series begins: a counter with labels is absent before it.
    """
    total = f"sum by ({by}) " if by else "sum"
    new = f"{total}({counter} unless {counter} offset {window})"
    return f"{total}(increase({counter}[{window}])) > {above:g} or {new} > {above:g}"
