"""Connectors of channels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain.attachments import MediaPlan
from domain.files import FileMetadata
from domain.inbound import InboundEvent, Media, Person
from domain.outcomes import SendOutcome, Sent
from domain.records import DeliveryRequested
from domain.status import Status


@dataclass(frozen=True, slots=True)
class Receipt:
    """A later report of a channel about a message it took. ``failure_code``, ``failure_detail``: why it is FAILED."""

    status: Status
    at_ms: int
    failure_code: str | None = None
    failure_detail: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A message's file, and how it and the message's text go to the channel (``plan``; there is nothing else to send
    then).

    ``read`` yields the file's bytes in chunks of at most 1 MiB. The last one comes only when all of them match the
    uploaded file, so a consumer that passes them on never completes a corrupt one. It raises ``DeliveryFailed``
    (``file-corrupt``, ``file-missing``) or ``FileStoreUnavailable``. ``url``: for channels that fetch files
    themselves; anybody can get the file there for some days. ``handle``: the result of ``Connector.upload``, of an
    earlier one if ``is_remembered``.
    """

    plan: MediaPlan
    metadata: FileMetadata
    url: str
    read: Callable[[], AsyncIterator[bytes]]
    handle: str = ""
    is_remembered: bool = False


@dataclass(frozen=True, slots=True)
class ConnectorCapabilities:
    """The capabilities of a channel.

    ``repeatable``: a send with an unknown outcome may be made again, because the channel recognises our message. No
    real provider offers this. ``echoes_token``: receipts carry our ``delivery_key``. ``receipts``: those that there
    are, so SENT is the last word of a channel without any. ``can_look_up``: it can be asked about an outcome.
    ``reports_sends``: people answer on this channel, so each send is reported to the address book. ``handle_days``: for
    how long the result of ``upload`` stays valid; 0: for one send.
    """

    repeatable: bool = False
    echoes_token: bool = True
    receipts: frozenset[Status] = frozenset({Status.DELIVERED, Status.READ})
    can_look_up: bool = False
    reports_sends: bool = False
    handle_days: int = 0


class Connector(Protocol):
    """One account on a channel."""

    channel: str
    capabilities: ConnectorCapabilities

    async def upload(self, attachment: Attachment) -> str:
        """Prepare the file on the channel before the message is sent, and return the channel's name for it.

        Called unless the file is sent as a link. A connector without any preparation still reads the file, so a
        corrupt one is never sent. It has no effect visible to the recipient, so it may be cancelled at any time, and
        repeated. Raises the errors of ``attachment.read``, ``DeliveryFailed``, or ``Unavailable``.
        """
        ...

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        """Send the message, with its file if it has one; return the outcome.

        It raises nothing for an answer of the provider. The caller bounds the call in time
        (``CHAT4ALL_SEND_SECONDS``), and takes any exception, a cancellation inside the call included, as ``Unknown``.
        """
        ...

    async def look_up(self, request: DeliveryRequested, attempt: int) -> SendOutcome:
        """Ask the channel about an attempt with an unknown outcome; called only if it ``can_look_up``.

        ``NotNow``: the channel does not have the message, so it may be sent again. Errors and time as for ``send``.
        """
        ...

    def promised_receipts(self, request: DeliveryRequested, sent: Sent) -> Sequence[Receipt]:
        """Return the receipts, with times to come, of a channel that this process simulates; none for all others.

        The result depends on the arguments alone: the next owner of the partition asks again.
        """
        ...

    async def close(self) -> None:
        """Close the connections to the channel. A later call opens new ones."""
        ...


class TwoWayConnector(Connector, Protocol):
    """A connector of a channel on which people answer."""

    def fetch(self, media: Media, most_bytes: int) -> AsyncIterator[bytes]:
        """Yield the bytes of an inbound file in chunks of at most 1 MiB.

        Raises ``DeliveryFailed`` if the provider does not have it (any more), if it is larger than ``most_bytes``, or
        if its hash is not the announced one; ``Unavailable`` if it may be had later.
        """
        ...

    async def mark_read(self, provider_id: str, is_typing: bool) -> None:
        """Show the person that their message was read; with ``is_typing`` show that an answer is coming.

        It is a courtesy: an error of the provider is logged and forgotten.
        """
        ...


@runtime_checkable
class ProfileConnector(Protocol):
    """A connector of a channel whose webhooks name a person by an id alone."""

    async def profile(self, user_id: str) -> Person | None:
        """Return the person's handle and name; ``None`` if the provider does not tell. Raises ``Unavailable``."""
        ...


@runtime_checkable
class AcknowledgingConnector(Protocol):
    """A connector of a channel on which the person waits for an answer to a pressed button."""

    async def acknowledge(self, provider_id: str) -> None:
        """Acknowledge a person's action to the channel. It is a courtesy, as ``mark_read``."""
        ...


@dataclass(frozen=True, slots=True)
class AccountFault:
    """One fault of an account at its provider. ``name`` never changes; ``advice``: what to do."""

    name: str
    detail: str
    advice: str


@runtime_checkable
class CheckingConnector(Protocol):
    """A connector whose provider reports faults of the account."""

    async def check(self) -> Sequence[AccountFault]:
        """Ask about the credentials, the account and its webhooks. Nothing is sent to anybody, nothing costs."""
        ...


@dataclass(frozen=True, slots=True)
class Polled:
    """``updates``: the JSON of each. ``next_offset``: where the next poll begins once they are durable; 0: anywhere."""

    updates: tuple[bytes, ...]
    next_offset: int


@runtime_checkable
class PollingConnector(Protocol):
    """A connector that polls for its events instead of a webhook, if the account says so (``is_polled``)."""

    is_polled: bool

    async def poll(self, offset: int) -> Polled:
        """Wait for updates with numbers from ``offset`` on; the provider forgets those before it. 0: the oldest one.

        The call takes a minute at most. Raises ``Unavailable``, with the time to wait if the provider named one.
        """
        ...


@runtime_checkable
class HistoryConnector(Protocol):
    """A connector whose provider keeps the receipts of its messages: lost receipts are found again."""

    async def history(self, provider_id: str) -> Sequence[Receipt]:
        """Return the receipts that the provider has of the message; none if it does not know the message (any more).

        Raises ``Unavailable`` if the provider did not answer.
        """
        ...


class WebhookProtocol(Protocol):
    """How a channel's provider posts webhooks. It is pure; ``channels/<name>/webhooks.py`` has it as ``PROTOCOL``.

    ``secret``: the name of the account's secret that authenticates a POST (``app_secret``, ``secret_token``).
    ``headers``: the names, in lower case, of the headers kept beside the raw body.
    """

    secret: str
    headers: frozenset[str]

    def challenge(self, query: Mapping[str, str], verify_token: str) -> str | None:
        """Return the body that answers a verification request, ``None`` if the request is not authentic."""
        ...

    def is_authentic(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Return whether the POST was signed with ``secret``. Compares in constant time. Header names in lower case."""
        ...

    def parse(self, body: bytes, received_at_ms: int) -> Iterator[InboundEvent]:
        """Yield one event for every element of every list in ``body``, in order; ``account`` stays empty.

        An element of an unknown kind is an ``UNKNOWN`` event. Raises ``MalformedRecord`` if the body is not a webhook
        of this provider.
        """
        ...
