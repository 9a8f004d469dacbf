"""Receive the webhooks of providers.

A POST is authenticated over its raw bytes and written to ``<channel>-webhooks`` before it is answered. Nothing parses
it before that: the agents of the channel's role do, and they can do so again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, Protocol

from aiohttp import web

from app.kafka.codec import encode
from app.kafka.partitions import partition_for
from app.kafka.pending_batches import Headers
from app.kafka.topics import Topics
from app.tracing import TRACEPARENT, traceparent_of
from domain.accounts import Account
from domain.errors import NotAllowed, NotAuthenticated, NotFound, Unavailable
from domain.inbound import WebhookReceived
from domain.ports import WebhookProtocol
from web.webhooks.credentials import Credentials, SecretOf, credentials_of

if TYPE_CHECKING:
    from app.tracing import Tracing

log = logging.getLogger(__name__)

MAX_HEADER_CHARS = 1_024  # of a header that is kept
RETRY_SECONDS = 60  # for a provider whose account lacks its secret
_WARN_SECONDS = 60.0
_NOBODY = Credentials("", secret="of no account: a POST to an unknown one costs as much")


class RecordWriter(Protocol):
    """Writes single records."""

    async def write(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> int:
        """Return the record's offset once every in-sync replica has it. Raises ``LogUnavailable``, ``InDoubt``."""
        ...


class Webhooks:
    """``protocols`` and ``accounts``: by channel. The secrets are read once."""

    def __init__(
        self,
        *,
        log: RecordWriter,
        topics: Topics,
        partitions: int,
        protocols: Mapping[str, WebhookProtocol],
        accounts: Mapping[str, Sequence[Account]],
        secret_of: SecretOf,
        clock_ms: Callable[[], int],
        tracing: Tracing | None = None,
    ) -> None:
        self._log = log
        self._topics = topics
        self._partitions = partitions
        self._protocols = protocols
        self._credentials = {
            channel: credentials_of(protocol, accounts.get(channel, ()), secret_of)
            for channel, protocol in protocols.items()
        }
        self._clock_ms = clock_ms
        self._tracing = tracing
        self._warned: dict[tuple[str, str], float] = {}

    def challenge(self, channel: str, account: str | None, query: Mapping[str, str]) -> str:
        """Return the answer to a verification request.

        Raises ``NotFound`` for an unknown channel or account, ``NotAllowed`` if the verify token is wrong.
        """
        protocol = self._protocol(channel)
        for credentials in self._candidates(channel, account):
            answer = protocol.challenge(query, credentials.verify_token) if credentials.verify_token else None
            if answer is not None:
                return answer
        if not self._candidates(channel, account):
            raise NotFound("no account receives webhooks here")
        raise NotAllowed("the verify token is wrong, or the account has none (verify_token_env in accounts.toml)")

    async def receive(self, channel: str, account: str | None, headers: Mapping[str, str], body: bytes) -> None:
        """Make an authentic POST durable. ``headers``: names in lower case. ``account``: as the path names it, if any.

        Raises ``NotFound`` for an unknown channel or account, ``NotAuthenticated`` for a wrong signature,
        ``Unavailable`` if Kafka does not take the body, or the account's secret is missing.
        """
        protocol = self._protocol(channel)
        known = self._candidates(channel, account)
        signers = {
            credentials.secret
            for credentials in known or (_NOBODY,)
            if credentials.secret and protocol.is_authentic(headers, body, credentials.secret)
        }
        if not known:
            raise NotFound("no account receives webhooks here")
        if not signers:
            self._refuse(channel, known)
        names = [credentials.account for credentials in known if credentials.secret in signers]
        kept = {name: value for name in protocol.headers if (value := headers.get(name, "")[:MAX_HEADER_CHARS])}
        # accounts of one app share its secret: then the payload tells, and the first one's name keeps the order
        signed = tuple(one.account for one in self._credentials[channel].values() if one.secret in signers)
        record = WebhookReceived(names[0] if len(names) == 1 else "", kept, body, self._clock_ms(), signed)
        with self._span(channel, names[0], headers) as traced:
            await self._write(channel, names[0].encode(), encode(record), traced)

    async def _write(self, channel: str, key: bytes, value: bytes, headers: Headers) -> None:
        topic = self._topics.webhooks(channel)
        await self._log.write(topic, partition_for(key, self._partitions), key, value, headers)

    @contextmanager
    def _span(self, channel: str, account: str, headers: Mapping[str, str]) -> Iterator[Headers]:
        """Span an authentic webhook, in the provider's trace if it names one; yield what its record carries of it."""
        if self._tracing is None:
            yield ()
            return
        about = {"http.request.method": "POST", "chat4all.channel": channel, "chat4all.account": account}
        with self._tracing.span(f"webhook {channel}", "SERVER", headers.get(TRACEPARENT, ""), about) as span:
            yield ((TRACEPARENT, traceparent_of(span).encode()),)

    def _protocol(self, channel: str) -> WebhookProtocol:
        protocol = self._protocols.get(channel)
        if protocol is None:
            raise NotFound("no account receives webhooks here")
        return protocol

    def _candidates(self, channel: str, account: str | None) -> Sequence[Credentials]:
        known = self._credentials[channel]
        if account is None:
            return tuple(known.values())
        return (known[account],) if account in known else ()

    def _refuse(self, channel: str, known: Sequence[Credentials]) -> NoReturn:
        if any(credentials.secret for credentials in known):
            raise NotAuthenticated("the signature is wrong")
        for credentials in known:
            self._warn(channel, credentials)
        raise Unavailable("this process lacks the secret that authenticates the request", RETRY_SECONDS)

    def _warn(self, channel: str, credentials: Credentials) -> None:
        key, now = (channel, credentials.account), monotonic()
        if now - self._warned.get(key, float("-inf")) >= _WARN_SECONDS:
            self._warned[key] = now
            log.error("webhooks of %s are refused: %s (the API reads this secret, too)", channel, credentials.missing)


WEBHOOKS = web.AppKey("webhooks", Webhooks)
