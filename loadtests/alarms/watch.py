"""A Prometheus and an Alertmanager of the run's own, and a record of when which alert was firing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self
from urllib.parse import quote

from docker.observability.local import LOOPBACK, Layout, Targets, specs, start, stop, write
from loadtests.groups import NotInTime, until
from loadtests.locust.api import LoadError, asked

READY_SECONDS = 120.0
LOOK_SECONDS = 0.5


class NoPrometheus(Exception):
    """Prometheus or Alertmanager is not on this machine."""


@dataclass(slots=True)
class Seen:
    """When an alert was firing, and was active at Alertmanager: seconds of ``monotonic``; 0: not yet."""

    fired: float = 0.0
    received: float = 0.0
    resolved: float = 0.0


@dataclass(slots=True)
class Watch:
    """``async with Watch(…)``: servers started, alerts followed. ``targets``: what to scrape."""

    layout: Layout
    targets: Targets
    rules: Mapping[str, Any]
    scrape_seconds: float
    firing: set[str] = field(default_factory=set)
    received: set[str] = field(default_factory=set)
    history: defaultdict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    _processes: list[Any] = field(default_factory=list)
    _away: list[str] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Address of Prometheus."""
        return f"http://{LOOPBACK}:{self.layout.prometheus}"

    @property
    def alertmanager_url(self) -> str:
        """Address of Alertmanager."""
        return f"http://{LOOPBACK}:{self.layout.alertmanager}"

    async def __aenter__(self) -> Self:
        found, lacking = specs(self.layout)
        if missing := {"prometheus", "alertmanager"} & set(lacking):
            raise NoPrometheus(f"not on this machine: {', '.join(sorted(missing))}")
        write(self.layout, self.targets, seconds=self.scrape_seconds, with_rules=self.rules)
        self._processes = [start(spec) for spec in found if spec.name != "grafana"]
        try:
            await until("Prometheus scrapes every target", READY_SECONDS, self._is_scraping)
        except BaseException as error:
            stop(self._processes)
            error.add_note("; ".join(self._away))
            raise
        self._task = asyncio.create_task(self._record())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await asyncio.to_thread(stop, self._processes)

    async def _is_scraping(self) -> bool:
        with suppress(LoadError):
            found = (await self._asked(f"{self.url}/api/v1/targets"))["data"]["activeTargets"]
            await self._asked(f"{self.alertmanager_url}/api/v2/alerts")
            self._away = [f"{each['scrapeUrl']}: {each['lastError']}" for each in found if each["health"] != "up"]
            return bool(found) and not self._away
        return False

    async def _record(self) -> None:
        """Note the alerts that begin and end to fire, until the run is over."""
        while True:
            with suppress(LoadError):
                alerts = (await self._asked(f"{self.url}/api/v1/alerts"))["data"]["alerts"]
                self._note({_name(each) for each in alerts if each["state"] == "firing"})
                self.received = {_name(each) for each in await self._asked(f"{self.alertmanager_url}/api/v2/alerts")}
                for name in self.firing & self.received:
                    self.history[name][-1].received = self.history[name][-1].received or monotonic()
            await asyncio.sleep(LOOK_SECONDS)

    def _note(self, firing: set[str]) -> None:
        now = monotonic()
        for name in firing - self.firing:
            self.history[name].append(Seen(fired=now))
        for name in self.firing - firing:
            self.history[name][-1].resolved = now
        self.firing = firing

    async def wait(self, what: str, holds: Callable[[], bool], seconds: float) -> bool:
        """Return whether it came true within ``seconds``."""

        async def is_so() -> bool:
            return holds()

        try:
            await until(what, seconds, is_so)
        except NotInTime:
            return False
        return True

    async def values(self, expression: str, began: float, ended: float, step_seconds: float) -> list[dict[str, Any]]:
        """Return the series of a query over a time (Unix seconds)."""
        query = f"query={quote(expression, safe='')}&start={began:.3f}&end={ended:.3f}&step={step_seconds:g}"
        found = await self._asked(f"{self.url}/api/v1/query_range?{query}")
        series: list[dict[str, Any]] = found["data"]["result"]
        return series

    async def _asked(self, url: str) -> Any:
        return await asyncio.to_thread(asked, "GET", url)


def _name(alert: Mapping[str, Any]) -> str:
    """Return an alert's name, with the role if there is one such alert for each role."""
    labels = alert["labels"]
    name = str(labels["alertname"])
    return f"{name} {labels['role']}" if name == "RoleWithoutWorker" else name


def layout_in(folder: Path, prometheus: int, alertmanager: int) -> Layout:
    """Return a layout on given ports."""
    return Layout(folder, prometheus, alertmanager)
