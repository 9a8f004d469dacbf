"""Operators: they look at health, channels and dead letters."""

from __future__ import annotations

import time

from loadtests.locust.api import Account
from loadtests.locust.journeys.base import Journey
from loadtests.locust.run_state import RUN

ADMIN_PATHS = ("/v1/admin/channels", "/v1/admin/dead-letters")


class Operator(Journey):
    """Looks around once a turn. Without an admin's account (``--operator``) only at what all may see."""

    label = "operator"
    weight = 1
    turns_of_a_texter = 4.0

    def prepare(self) -> None:
        username, _, password = RUN.options.operator.partition(":")
        self.is_admin = bool(username)
        if self.is_admin:
            self.account = Account(RUN.options.host, username, password).logged_in()

    def turn(self, due: float) -> None:
        self.timed("GET ready", due, self.call("GET", "/health/ready"))
        for path in ADMIN_PATHS if self.is_admin else ():
            self.timed(f"GET {path}", time.monotonic(), self.call("GET", path))
