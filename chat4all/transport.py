"""Requests and their answers: tokens, refresh, repetition, problems."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import aiohttp

from chat4all.errors import ApiError, ApiUnavailable, NotChat4All, NotLoggedIn, api_error_of
from chat4all.retry_budget import RetryBudget, seconds_of
from chat4all.tokens import Tokens, TokenStore, tokens_of

MAX_ANSWER_BYTES = 32 << 20
CONNECT_SECONDS = 10.0
# of what has no known end: an upload or a download in which no byte moves for so long is begun again
STALL_SECONDS = 60.0
# not DELETE: the second time, what was deleted is not there
_REPEATED_METHODS = ("GET", "PUT")


@dataclass(frozen=True, slots=True)
class Answer:
    """``document``: empty for an answer without one. ``headers``: whatever the case of their names."""

    status: int
    document: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def retry_after_seconds(self) -> float | None:
        return seconds_of(self.headers.get("Retry-After"))


class RequestOptions(TypedDict, total=False):
    """The options of a request. ``is_repeatable``: whether a second request has the same result as one; default: by
    its method. ``with_token``: default true. ``retry_seconds``: default the client's.
    """

    params: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    is_repeatable: bool
    with_token: bool
    retry_seconds: float


class Transport:
    """One connection pool to one API. ``token_store`` has the tokens that requests carry."""

    def __init__(self, url: str, token_store: TokenStore, request_seconds: float, retry_seconds: float) -> None:
        self.url = url.rstrip("/")
        self.token_store = token_store
        self.tokens = token_store.load()
        self.retry_seconds = retry_seconds
        self.has_answered = False
        self._timeout = aiohttp.ClientTimeout(total=request_seconds)
        self._stall = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=STALL_SECONDS)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use `async with Client(…)`"
        return self._session

    def keep(self, tokens: Tokens) -> None:
        """Use ``tokens`` for later requests and store them."""
        self.tokens = tokens
        self.token_store.save(tokens)

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **options: Unpack[RequestOptions]
    ) -> dict[str, Any]:
        """Return the document of the answer, empty for one without: as ``request``."""
        return (await self.request(method, path, body, **options)).document

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **options: Unpack[RequestOptions]
    ) -> Answer:
        """Return the response; refresh the token once if needed.

        Raises ``ApiUnavailable``, ``ApiError``.
        """
        is_repeatable = options.get("is_repeatable", method in _REPEATED_METHODS)
        budget = RetryBudget(options.get("retry_seconds", self.retry_seconds))
        params, headers = options.get("params"), options.get("headers")
        was_refreshed = False
        doubt = Doubt()
        while True:
            token = self.tokens.access_token if options.get("with_token", True) else ""
            try:
                answer = await self.send(method, path, token, body, params=params, headers=headers)
                if answer.status == 503:
                    raise self.unavailable(answer)
            except ApiUnavailable as error:
                doubt.note(error)
                if not await self._may_repeat(error, budget, is_repeatable):
                    doubt.tell(error)
                    raise
                continue
            if answer.status < 400:
                return answer
            if answer.status == 401 and token and not was_refreshed and await self.refresh(token):
                was_refreshed = True
            elif not (answer.status == 429 and await budget.wait(answer.retry_after_seconds)):
                raise self.error_of(answer)

    async def refresh(self, used_token: str) -> bool:
        """Replace the access token ``used_token``; return whether there is a new one. Raises ``ApiUnavailable``."""
        async with self.token_store.lock():
            kept = self.token_store.load()
            if kept.access_token and kept.access_token != used_token:  # another process has refreshed it
                self.tokens = kept
                return True
            if not kept.refresh_token:
                return False
            body = {"refresh_token": kept.refresh_token}
            try:
                answer = await self.call("POST", "/auth/refresh", body, is_repeatable=True, with_token=False)
            except NotLoggedIn:
                return False
            self.keep(tokens_of(answer))
            return True

    async def _may_repeat(self, error: ApiUnavailable, budget: RetryBudget, is_repeatable: bool) -> bool:
        """Wait and return whether to try again.

        An address that has never answered is not tried again, because it may be wrong. A request that is not repeatable
        is tried again only if it has certainly not arrived.
        """
        if not self.has_answered and (error.never_arrived or isinstance(error, NotChat4All)):
            return False
        if not (is_repeatable or error.never_arrived):
            return False
        return await budget.wait(error.retry_after_seconds)

    async def send(
        self,
        method: str,
        path: str,
        token: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        chunks: AsyncIterable[bytes] | None = None,
    ) -> Answer:
        """Send one request and return its response of any status. Raises ``ApiUnavailable``.

        ``chunks``: a body in place of a JSON one, of as many bytes as the header Content-Length says. Sending it has no
        time limit here; its generator must detect a stalled connection.
        """
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        timeout = self._timeout if chunks is None else self._stall
        given: dict[str, Any] = {"json": body} if chunks is None else {"data": chunks}
        try:
            async with self.session.request(
                method, self.url + path, params=params, headers=sent, allow_redirects=False, timeout=timeout, **given
            ) as answer:
                content = await _read(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self.unavailable_after(error) from error
        except ValueError as error:
            raise NotChat4All(f"{self.url} is not a Chat4All API: {method} {path}: {error}") from None
        return self._answer(answer, content)

    @asynccontextmanager
    async def stream(
        self, path: str, token: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse | Answer]:
        """Open a GET and yield the response with its body unread; a problem is read and yielded as an ``Answer``.

        Raises ``ApiUnavailable``, also for a connection lost during the body.
        """
        sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            async with self.session.get(
                self.url + path, headers=sent, allow_redirects=False, timeout=self._stall, read_bufsize=1 << 20
            ) as answer:
                if answer.status < 400:
                    self.has_answered = True
                    yield answer
                else:
                    yield self._answer(answer, await _read(answer))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self.unavailable_after(error) from error
        except ValueError as error:
            raise NotChat4All(f"{self.url} is not a Chat4All API: GET {path}: {error}") from None

    def _answer(self, answer: aiohttp.ClientResponse, content: bytes) -> Answer:
        document = self._document(answer, content)
        self.has_answered = True
        return Answer(answer.status, document, answer.headers)

    def _document(self, answer: aiohttp.ClientResponse, content: bytes) -> dict[str, Any]:
        if not content:
            return {}
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if isinstance(document, dict):
            return document
        if answer.status in (502, 503, 504):  # of a proxy before the API
            raise ApiUnavailable(f"{self.url} cannot serve this now: status {answer.status}")
        what = "without JSON" if document is None else "with other JSON"
        raise NotChat4All(f"{self.url} is not a Chat4All API: {answer.method} {answer.url.path} answered {what}")

    def unavailable_after(self, error: BaseException) -> ApiUnavailable:
        """Return the exception for a missing response."""
        reason = getattr(error, "strerror", "") or str(error) or type(error).__name__
        never_arrived = isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
        return ApiUnavailable(f"no answer from {self.url}: {reason}", never_arrived=never_arrived)

    def error_of(self, answer: Answer) -> ApiUnavailable | ApiError:
        """Return the exception for an unsuccessful response."""
        if answer.status == 503:
            return self.unavailable(answer)
        return api_error_of(answer.status, answer.document, answer.retry_after_seconds)

    def unavailable(self, answer: Answer) -> ApiUnavailable:
        """Return the exception for a 503."""
        told = answer.document
        return ApiUnavailable(
            f"{self.url} cannot serve this now: {told.get('detail', 'unavailable')}",
            is_in_doubt=told.get("may_have_been_accepted") is True,
            message_id=str(told.get("message_id") or ""),
            retry_after_seconds=answer.retry_after_seconds,
        )


class Doubt:
    """Whether one of the attempts of a request may have been carried out although no answer says so."""

    def __init__(self) -> None:
        self._exists = False
        self._message_id = ""

    def note(self, error: ApiUnavailable) -> None:
        """Add the error of an attempt."""
        self._exists |= error.is_in_doubt
        self._message_id = self._message_id or error.message_id

    def tell(self, error: ApiUnavailable) -> None:
        """Copy the doubt of all attempts to ``error``, the error of the last one."""
        error.is_in_doubt, error.message_id = self._exists, self._message_id


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raises ``ValueError`` for an endless one."""
    content = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise ValueError("an answer has no end")
    return bytes(content)
