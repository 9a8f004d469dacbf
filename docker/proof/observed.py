"""What Prometheus says of the running system: targets, rules, the queries of the dashboards, an alert's way."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from docker.observability.dashboards import DASHBOARDS
from docker.proof.podman import Podman
from docker.proof.up import until
from loadtests.locust.api import asked

ALERT_SECONDS = 240.0
SCRAPES_SECONDS = 90.0
# panels that are empty while nothing is wrong or no file and no account of a provider is in use
MAY_BE_EMPTY = frozenset(
    {"Dead letters", "Overtaken", "Files carried", "What the heads wait for", "Why they wait", "Allowance"}
)


class Observed:
    """Asks Prometheus at ``url``, and Alertmanager. Each check returns whether it holds, and a sentence."""

    def __init__(self, podman: Podman, url: str, alertmanager: str) -> None:
        self._podman = podman
        self._url = url
        self._alertmanager = alertmanager

    def targets(self) -> tuple[bool, str]:
        """Return whether every target is scraped."""

        def states() -> dict[str, str]:
            found = asked("GET", f"{self._url}/api/v1/targets")["data"]["activeTargets"]
            return {f"{each['labels']['job']} {each['labels']['instance']}": each["health"] for each in found}

        until(
            lambda: set(states().values()) == {"up"}, "every target is up", self._podman, "prometheus", SCRAPES_SECONDS
        )
        return True, f"Prometheus scrapes {len(states())} targets, all up"

    def rules(self) -> tuple[bool, str]:
        """Return whether every rule can be evaluated."""

        def unhealthy() -> list[str]:
            groups = asked("GET", f"{self._url}/api/v1/rules")["data"]["groups"]
            return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

        until(lambda: not unhealthy(), "every rule is evaluated", self._podman, "prometheus", SCRAPES_SECONDS)
        groups = asked("GET", f"{self._url}/api/v1/rules")["data"]["groups"]
        return True, f"all {sum(len(group['rules']) for group in groups)} rules are evaluated without an error"

    def panels(self) -> tuple[bool, str]:
        """Return whether every panel's queries are understood, and have data where there must be some."""
        count, empty = 0, []
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                for expression, _ in panel.queries:
                    count += 1
                    found = self._query(expression.replace("$account", ".*"))
                    if not found and panel.title not in MAY_BE_EMPTY:
                        empty.append(f"{dashboard.title}: {panel.title}")
        sentence = f"the {count} queries of {len(DASHBOARDS)} dashboards are answered"
        with_data = f" with data ({len(MAY_BE_EMPTY)} panels may be empty while nothing is wrong)"
        return not empty, sentence + (f", but nothing for {', '.join(empty)}" if empty else with_data)

    def alert(self, name: str, victim: str) -> tuple[bool, str]:
        """Stop a service until an alert fires, start it until the alert is resolved."""
        self._podman.call("stop", victim)
        began = time.monotonic()
        until(lambda: name in self._firing(), f"{name} fires", self._podman, "prometheus", ALERT_SECONDS)
        fired_seconds = time.monotonic() - began
        until(
            lambda: name in self._received(),
            f"{name} reaches Alertmanager",
            self._podman,
            "alertmanager",
            ALERT_SECONDS,
        )
        self._podman.call("start", victim)
        began = time.monotonic()
        until(lambda: name not in self._firing(), f"{name} is resolved", self._podman, "prometheus", ALERT_SECONDS)
        resolved_seconds = time.monotonic() - began
        until(lambda: self._podman.is_healthy(victim), f"{victim} is well", self._podman, victim)
        sentence = f"{name} fired {fired_seconds:.0f} s after the stop of {victim}, reached Alertmanager"
        return True, f"{sentence}, and was resolved {resolved_seconds:.0f} s after its start"

    def _firing(self) -> set[str]:
        alerts = asked("GET", f"{self._url}/api/v1/alerts")["data"]["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def _received(self) -> set[str]:
        return {each["labels"]["alertname"] for each in asked("GET", f"{self._alertmanager}/api/v2/alerts")}

    def _query(self, expression: str) -> list[Any]:
        found = asked("GET", f"{self._url}/api/v1/query?query={quote(expression, safe='')}")
        return list(found["data"]["result"])
