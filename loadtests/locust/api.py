"""Calls outside the measured load: accounts before it, histories after it, metrics beside it."""

from __future__ import annotations

import http.client
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

CALL_SECONDS = 15.0
TRIES = 20
PAUSE_SECONDS = 0.5
PAGE = 100
RENEW_SECONDS = 1_200.0


class LoadError(Exception):
    """The host cannot be used for a load test."""


def ask(
    method: str, url: str, document: Any = None, token: str = "", *, seconds: float = CALL_SECONDS
) -> tuple[int, bytes]:
    """Return status and body of one request; status 0: no answer."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target or "/", None if document is None else orjson.dumps(document), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def asked(method: str, url: str, document: Any = None, token: str = "", wanted: tuple[int, ...] = (200,)) -> Any:
    """Return the JSON of an answer with a wanted status; ask again while the host is not ready.

    Raises ``LoadError`` with the host's answer.
    """
    status, body = 0, b""
    for _ in range(TRIES):
        status, body = ask(method, url, document, token)
        if status in wanted:
            return orjson.loads(body)
        if status not in (0, 429, 502, 503, 504):
            break
        time.sleep(PAUSE_SECONDS)
    raise LoadError(f"{method} {url}: {status or 'no answer'} {body[:300]!r}")


@dataclass(slots=True)
class Account:
    """A user of the system under test."""

    host: str
    username: str
    password: str
    user_id: str = ""
    _token: str = ""
    _renew_at: float = field(default=0.0)

    @classmethod
    def signed_up(cls, host: str) -> Account:
        """Return a new user. Raises ``LoadError``."""
        account = cls(host, f"load_{uuid.uuid4().hex[:12]}", uuid.uuid4().hex)
        document = {"username": account.username, "password": account.password}
        asked("POST", f"{host}/users", document, wanted=(201, 409))  # 409: of a repetition after a lost answer
        return account.logged_in()

    def logged_in(self) -> Account:
        """Log in, and return this account. Raises ``LoadError``."""
        found = asked("POST", f"{self.host}/auth/login", {"username": self.username, "password": self.password})
        self._token, self.user_id = found["access_token"], found["user_id"]
        self._renew_at = time.monotonic() + min(RENEW_SECONDS, found["expires_in"] / 2)
        return self

    @property
    def token(self) -> str:
        """A token that holds for a while yet."""
        if time.monotonic() > self._renew_at:
            self.logged_in()
        return self._token


def page_of(account: Account, conversation_id: str, cursor: str) -> tuple[list[dict[str, Any]], str]:
    """Return messages of a conversation from ``cursor`` on, oldest first, and the next cursor; "": the last page.

    Raises ``LoadError``.
    """
    url = f"{account.host}/v1/conversations/{quote(conversation_id, safe='')}/messages?limit={PAGE}&order=asc"
    if cursor:
        url += f"&cursor={quote(cursor, safe='')}"
    found = asked("GET", url, token=account.token)
    return found["messages"], found["pagination"]["next_cursor"] or "" if found["pagination"]["has_more"] else ""
