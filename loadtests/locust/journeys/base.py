"""The common part of all journeys: turns on a schedule, latencies from the due time, and the entry in the ledger."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any, ClassVar

import gevent
import orjson
from locust import FastHttpUser, task
from locust.contrib.fasthttp import FastResponse
from locust.exception import StopUser

from loadtests.locust.api import Account
from loadtests.locust.recorder import SEND
from loadtests.locust.run_state import RUN
from loadtests.locust.schedule import Schedule
from loadtests.orders import SAMPLE, Order

TRIES = 8
PAUSE_SECONDS = 0.5
SEND_PATH = "/v1/messages"
_IN_DOUBT = (0, 502, 503, 504)


class Journey(FastHttpUser):  # type: ignore[misc]
    """A user with an account and a schedule of turns. ``label``: its tag; ``weight``: of 20 users."""

    abstract = True
    label: ClassVar[str]
    turns_of_a_texter: ClassVar[float] = 1.0  # how many times as long as a texter's its turns are
    connection_timeout = 5.0
    network_timeout = 30.0
    account: Account
    schedule: Schedule

    def on_start(self) -> None:
        """Take an account and wait for a random part of a turn: users do not march in step."""
        self.account = RUN.account()
        self.prepare()
        every_seconds = RUN.options.every_seconds * self.turns_of_a_texter
        self.schedule = Schedule(time.monotonic() + random.uniform(0.0, every_seconds), every_seconds)
        gevent.sleep(self.wait_time())

    def prepare(self) -> None:
        """Make the conversations of the journey. It does not count as load."""

    @task  # type: ignore[untyped-decorator]
    def take_turn(self) -> None:
        """Do what is due. Locust calls it again after ``wait_time``."""
        if RUN.is_over:
            raise StopUser
        RUN.under_way += 1
        try:
            self.turn(self.schedule.take())
        finally:
            RUN.under_way -= 1

    def turn(self, due: float) -> None:
        """Do one turn; ``due``: when it was to begin."""
        raise NotImplementedError

    def wait_time(self) -> float:
        return self.schedule.seconds_left(time.monotonic())

    def send(
        self,
        body: dict[str, Any],
        order: Order,
        due: float,
        *,
        is_pushed: bool = False,
        account: Account | None = None,
    ) -> str:
        """Send a message and enter it into the ledger; return its id, "" if it was not accepted.

        An answer that leaves a doubt is asked for again with the same key, as clients are told to.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        RUN.book.uncertain += 1  # until there is an answer: the end of the run may cut a turn short
        response = self.call("POST", SEND_PATH, body, headers=headers, account=account)
        for _ in range(TRIES - 1):
            if response.status_code not in (*_IN_DOUBT, 429):
                break
            RUN.recorder.repeated += 1
            gevent.sleep(PAUSE_SECONDS)
            response = self.call("POST", SEND_PATH, body, headers=headers, account=account)
        status = int(response.status_code)
        RUN.recorder.note(SEND, due, time.monotonic(), "" if status == 202 else f"status {status}")
        RUN.book.uncertain -= status not in _IN_DOUBT
        if status != 202:
            return ""
        message_id = str(orjson.loads(response.content)["message_id"])
        RUN.book.accept(message_id, order, is_pushed=is_pushed)
        return message_id

    def call(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        name: str = "",
        account: Account | None = None,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> FastResponse:
        """Make one request of ``account`` (default: the user's own). ``name``: how Locust's page shows it."""
        sent = {"Authorization": f"Bearer {(account or self.account).token}", **(headers or {})}
        if document is not None:
            data = orjson.dumps(document)
            sent["Content-Type"] = "application/json"
        return self.client.request(method, path, name=name or path, data=data, headers=sent)

    def timed(self, kind: str, due: float, response: FastResponse, wanted: int = 200) -> bool:
        """Note the latency of a request that is not a message; return whether its status is ``wanted``."""
        status = int(response.status_code)
        RUN.recorder.note(kind, due, time.monotonic(), "" if status == wanted else f"status {status}")
        return status == wanted

    def text(self) -> str:
        """Return a text that no other message of the run has."""
        return f"{SAMPLE}{RUN.number()}"
