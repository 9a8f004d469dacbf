"""Messages through nginx with curl while parts of the system are killed, and the ledger of them."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtests.ledger import Balance
from loadtests.locust.api import Account, page_of
from loadtests.locust.book import Book
from loadtests.locust.histories import read_histories
from loadtests.orders import Order, address_on

CONVERSATIONS = 12
TRIES = 60
PAUSE_SECONDS = 0.5


class CurlFailed(Exception):
    """A request had no usable answer, however often it was repeated."""


def curl(method: str, url: str, *more: str) -> tuple[int, str]:
    """Return status and body of one request; status 0: no answer."""
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--max-time",
        "15",
        "--request",
        method,
        "--write-out",
        "\n%{http_code}",
    ]
    done = subprocess.run([*command, *more, url], capture_output=True, text=True, timeout=30, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body


@dataclass(slots=True)
class Sender:
    """One user who sends through nginx. ``repeated``: requests sent again with the same idempotency key."""

    url: str
    account: Account
    book: Book = field(default_factory=Book)
    repeated: int = 0

    @classmethod
    def signed_up(cls, url: str) -> Sender:
        """Register a user. Raises ``LoadError``."""
        return cls(url, Account.signed_up(url))

    def send(self, number: int) -> None:
        """Send one message and repeat it until it is accepted. Raises ``CurlFailed``."""
        conversation = number % CONVERSATIONS
        order = Order(f"proof-{self.account.username}-{conversation}", address_on(conversation), f"message {number} 👋")
        body = {"conversation_id": order.conversation_id, "recipient_id": order.recipient_id, "content": order.content}
        key = str(uuid.uuid4())
        for _ in range(TRIES):
            status, answer = self._post(json.dumps(body), key)
            if status == 202:
                self.book.accept(json.loads(answer)["message_id"], order)
                return
            if status not in (0, 502, 503, 504):
                break
            self.repeated += 1
            time.sleep(PAUSE_SECONDS)
        raise CurlFailed(f"message {number}: {status} {answer}")

    def _post(self, body: str, key: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.account.token}", "Idempotency-Key": key}
        lines = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
        return curl("POST", f"{self.url}/v1/messages", *lines, "--data", body)

    def send_all(self, count: int, at: Mapping[int, Callable[[], None]]) -> None:
        """Send ``count`` messages; before message number n do ``at[n]``."""
        for number in range(count):
            at.get(number, lambda: None)()
            self.send(number)

    def balance(self) -> Balance:
        """Follow every message to its end through the API, and judge."""
        histories: dict[str, list[dict[str, Any]]] = read_histories(
            self.book.conversations(),
            lambda conversation_id, cursor: page_of(self.account, conversation_id, cursor),
            expected=lambda: len(self.book.accepted),
        )
        return self.book.balance(histories)
