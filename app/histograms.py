"""Histograms that are cheap to add to, with a bounded number of sets of labels.

aioprometheus checks each label at each observation, which cost a tenth of a busy worker's time. These keep plain
numbers, read on a scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from aioprometheus import Registry
from aioprometheus.collectors import Histogram

MOST_LABEL_SETS = 500  # of one metric: what comes after is counted as OTHER
OTHER = "other"
INSTANT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELIVERY_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class Durations(Histogram):  # type: ignore[misc]
    """A histogram of seconds by ``labels``. ``bounds``: the upper ends of its buckets."""

    def __init__(
        self,
        name: str,
        doc: str,
        registry: Registry,
        labels: Sequence[str] = (),
        bounds: tuple[float, ...] = INSTANT_BOUNDS,
        const_labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, doc, registry=registry, const_labels=dict(const_labels or {}))
        self._labels = tuple(labels)
        self._bounds = bounds
        # by labels: one count a bucket, not cumulative, then the sum of seconds
        self._series: dict[tuple[str, ...], list[float]] = {}
        if not labels:
            self._series[()] = self._empty()

    def _empty(self) -> list[float]:
        return [0.0] * (len(self._bounds) + 2)

    def count(self, seconds: float, *values: str, times: int = 1) -> None:
        """Add ``times`` observations of ``seconds``. ``values``: those of the labels, in their order."""
        series = self._series.get(values)
        if series is None:
            if len(self._series) >= MOST_LABEL_SETS:
                values = (OTHER,) * len(self._labels)
            series = self._series.setdefault(values, self._empty())
        series[bisect_left(self._bounds, seconds)] += times
        series[-1] += seconds * times

    def get_all(self) -> list[tuple[dict[str, str], dict[float | str, float]]]:
        """Return labels and values for the exposition."""
        return [(dict(zip(self._labels, values, strict=True)), self._row(s)) for values, s in self._series.items()]

    def _row(self, series: list[float]) -> dict[float | str, float]:
        cumulative = list(accumulate(series[:-1]))
        values: dict[float | str, float] = dict(zip((*self._bounds, float("inf")), cumulative, strict=True))
        return values | {"count": cumulative[-1], "sum": series[-1]}
