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
