"""The tokens of a session, and their stores.

A refresh token is taken once only, and the API ends the session of one that comes twice. So of all that share a session
(tasks of a program, commands in several terminals) one at a time may refresh: whoever has the token store's lock.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a login. Empty texts: none."""

    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    user_id: str = ""


class TokenStore(Protocol):
    """Keeps the tokens of one session. ``save`` and a ``load`` before it happen with the lock."""

    def load(self) -> Tokens: ...

    def save(self, tokens: Tokens) -> None: ...

    def lock(self) -> AbstractAsyncContextManager[Any]: ...


class MemoryTokenStore:
    """Keeps them as long as the program runs."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens or Tokens()
        self._lock = asyncio.Lock()

    def load(self) -> Tokens:
        return self._tokens

    def save(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def lock(self) -> AbstractAsyncContextManager[Any]:
        return self._lock


def tokens_of(answer: dict[str, Any]) -> Tokens:
    """Return the tokens of the answer to a login or a refresh."""
    return Tokens(str(answer["access_token"]), str(answer.get("refresh_token") or ""), str(answer.get("user_id") or ""))
