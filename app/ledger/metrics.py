"""The ledger as metrics. ``chat4all_ledger_difference`` stays 0 while each accepted message is accounted for."""

from __future__ import annotations

from collections.abc import Callable

from aioprometheus import Gauge, Registry, render

from app.process_readings import PROCESS_READINGS
from domain.ledger import Balance

STATES = ("accepted", "sent", "failed", "dead", "unrouted", "requested", "queued", "passed_over")


class LedgerMetrics:
    """The newest balance. ``clock`` returns seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.registry = Registry()
        self._clock = clock
        make = {"registry": self.registry}
        self._states = Gauge("chat4all_ledger_deliveries", "Deliveries on the books, by state", **make)
        self._difference = Gauge(
            "chat4all_ledger_difference",
            "Accepted - sent - failed - dead - waiting; 0: nothing is lost",
            **make,
        )
        self._age = Gauge("chat4all_ledger_age_seconds", "Seconds since the newest balance", **make)
        self._process = {name: Gauge(name, doc, **make) for name, (doc, _) in PROCESS_READINGS.items()}
        self._shown_at = clock()
        self.balance: Balance | None = None

    def show(self, balance: Balance) -> None:
        """Show this balance from now on."""
        self.balance = balance
        self._shown_at = self._clock()
        self._difference.set({}, balance.difference)
        for state in STATES:
            self._states.set({"state": state}, getattr(balance, state))

    def render(self) -> tuple[bytes, dict[str, str]]:
        """Return the exposition and its headers."""
        self._age.set({}, round(self._clock() - self._shown_at, 3))
        for name, gauge in self._process.items():
            gauge.set({}, PROCESS_READINGS[name][1]())
        body, headers = render(self.registry, ())
        return body, dict(headers)
