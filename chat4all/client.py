"""The client of the HTTP API. Its methods are in ``chat4all/calls``; most return the API's own document."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from chat4all.calls.accounts import AccountCalls
from chat4all.calls.admin import AdminCalls
from chat4all.calls.conversations import ConversationCalls
from chat4all.calls.files import FileCalls
from chat4all.calls.messages import MessageCalls
from chat4all.errors import ApiError, ApiUnavailable
from chat4all.tokens import MemoryTokenStore, Tokens, TokenStore
from chat4all.transport import Transport

REQUEST_SECONDS = 10.0
RETRY_SECONDS = 15.0


class Client(AccountCalls, ConversationCalls, MessageCalls, FileCalls, AdminCalls):
    """One connection pool to one API, for one user. Each request takes at most ``request_seconds``.

    ``retry_seconds``: how long to repeat what is safe to repeat, all attempts together; 0: not at all.
    ``token_store``: where the session's tokens are kept; default: in memory, beginning with ``token``.
    Every method raises ``ApiUnavailable`` or ``ApiError`` (``chat4all/errors.py``).
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        request_seconds: float = REQUEST_SECONDS,
        *,
        retry_seconds: float = RETRY_SECONDS,
        token_store: TokenStore | None = None,
    ) -> None:
        super().__init__(Transport(url, token_store or MemoryTokenStore(Tokens(token)), request_seconds, retry_seconds))
        self.url = self._transport.url

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    @property
    def token(self) -> str:
        """The access token that requests carry; empty: none."""
        return self._transport.tokens.access_token

    @property
    def user_id(self) -> str:
        """The id of the logged-in user; empty: unknown."""
        return self._transport.tokens.user_id

    async def keep_in(self, token_store: TokenStore) -> None:
        """Keep the session there from now on."""
        async with token_store.lock():
            token_store.save(self._transport.tokens)
        self._transport.token_store = token_store

    async def is_ready(self) -> bool:
        """Return whether the API and its dependencies answer."""
        try:
            await self._transport.call("GET", "/health/ready", with_token=False, retry_seconds=0)
        except (ApiUnavailable, ApiError):
            return False
        return True
