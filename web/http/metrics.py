"""The API's metrics on one screen; rendered by aioprometheus.

Counting is a few integer additions: the library's own ``inc`` and ``observe`` make a JSON key for each call, too slow
for a path with a budget of 0.35 ms. So these collectors keep plain numbers, read on a scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from aioprometheus import Registry, render
from aioprometheus.collectors import Counter, Gauge

from app.histograms import Durations

UPLOAD_BOUNDS_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
# a file has at most so many bytes to be in the bucket of that name
_SIZE_BOUNDS_BYTES = (64 << 10, 1 << 20, 16 << 20, 128 << 20, 1 << 30)
SIZE_BUCKETS = ("64KiB", "1MiB", "16MiB", "128MiB", "1GiB", "more")


class _Tally(Counter):  # type: ignore[misc]
    """A counter without labels."""

    count = 0

    def get_all(self) -> list[tuple[dict[str, str], float]]:
        return [({}, self.count)]


class _Reasons(Counter):  # type: ignore[misc]
    """A counter by reason."""

    def __init__(self, name: str, doc: str, registry: Registry) -> None:
        super().__init__(name, doc, registry=registry)
        self._counts: dict[str, int] = {}

    def count(self, reason: str) -> None:
        self._counts[reason] = self._counts.get(reason, 0) + 1

    def get_all(self) -> list[tuple[dict[str, str], float]]:
        return [({"reason": reason}, count) for reason, count in self._counts.items()]


class _Reading(Gauge):  # type: ignore[misc]
    """A gauge, or a counter if its name ends so, with a value computed on a scrape; absent while unknown."""

    def __init__(self, name: str, doc: str, registry: Registry, read: Callable[[], float | None]) -> None:
        super().__init__(name, doc, registry=registry)
        if name.endswith("_total"):
            self.kind = Counter.kind
        self._read = read

    def get_all(self) -> list[tuple[dict[str, str], float]]:
        value = self._read()
        return [] if value is None else [({}, value)]


class _Uploads(Counter):  # type: ignore[misc]
    """Complete files by size, and the duration of each upload."""

    def __init__(self, registry: Registry) -> None:
        super().__init__("chat4all_files_uploaded_total", "Files that became whole, by size.", registry=registry)
        self._counts = [0] * len(SIZE_BUCKETS)
        self._seconds = Durations(
            "chat4all_file_upload_seconds",
            "Seconds from a file's first byte to its answer.",
            registry=registry,
            bounds=UPLOAD_BOUNDS_SECONDS,
        )

    def count(self, size_bytes: int, seconds: float) -> None:
        self._counts[bisect_left(_SIZE_BOUNDS_BYTES, size_bytes)] += 1
        self._seconds.count(seconds)

    def get_all(self) -> list[tuple[dict[str, str], float]]:
        return [({"size_bucket": name}, n) for name, n in zip(SIZE_BUCKETS, self._counts, strict=True)]


class Metrics:
    """The metrics of one process. ``watch`` adds gauges of other parts.

    ``process``: the value of the label ``process`` of every series. Processes share a port, so a scrape shows one of
    them: without the label a counter would seem to jump back and forth. Empty: no label.
    """

    def __init__(self, process: str = "") -> None:
        self.process = process
        self._registry = Registry()
        self.messages_accepted = _Tally(
            "chat4all_messages_accepted_total", "Messages acknowledged by the broker.", registry=self._registry
        )
        self.messages_replayed = _Tally(
            "chat4all_messages_replayed_total", "Idempotency keys that came again.", registry=self._registry
        )
        self.messages_undeliverable = _Reasons(
            "chat4all_messages_undeliverable_total",
            "Messages refused because the person cannot be reached now, by reason.",
            self._registry,
        )
        self.requests = Durations(
            "chat4all_http_request_seconds",
            "Seconds from the request's headers to its answer.",
            self._registry,
            ("method", "route", "status"),
        )
        self.loop_delay = Durations(
            "chat4all_loop_delay_seconds", "Seconds by which the event loop was late.", self._registry
        )
        self.live_frames = _Tally(
            "chat4all_live_frames_total", "Frames about messages pushed.", registry=self._registry
        )
        self.live_too_slow = _Tally(
            "chat4all_live_too_slow_total", "Connections cut off for not reading.", registry=self._registry
        )
        self.live_resumed = _Tally("chat4all_live_resumed_total", "Connections with since=.", registry=self._registry)
        self.live_push = Durations(
            "chat4all_live_push_seconds", "Seconds from an event's time in the log to its push.", self._registry
        )

        self.files_uploaded = _Uploads(self._registry)
        self.file_bytes_received = _Tally(
            "chat4all_file_bytes_received_total",
            "Bytes of files that came in, also of those that failed.",
            registry=self._registry,
        )
        self.file_bytes_sent = _Tally(
            "chat4all_file_bytes_sent_total", "Bytes of files that went out through the API.", registry=self._registry
        )

        self.files_swept = _Tally(
            "chat4all_files_swept_total", "Uploads cleared away that nobody finished.", registry=self._registry
        )
        self.file_orphans_swept = _Tally(
            "chat4all_file_orphans_swept_total", "Objects discarded that belong to no file.", registry=self._registry
        )
        self.file_sweep_failures = _Tally(
            "chat4all_file_sweep_failures_total", "What the sweep of files could not do.", registry=self._registry
        )

    def watch(self, name: str, doc: str, read: Callable[[], float | None]) -> None:
        """Expose ``read()`` as the gauge ``name``; while it returns ``None`` the gauge is absent."""
        _Reading(name, doc, self._registry, read)

    def rendered(self) -> tuple[bytes, dict[str, Any]]:
        """Return the Prometheus text and its headers."""
        if self.process:
            for collector in self._registry.get_all():
                collector.const_labels = {"process": self.process}
        text, headers = render(self._registry, ())
        return text, headers
