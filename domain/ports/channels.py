"""Connectors of channels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from domain.attachments import MediaPlan
from domain.files import FileMetadata
from domain.outcomes import SendOutcome, Sent
from domain.records import DeliveryRequested
from domain.status import Status


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel said later about a message it took."""

    status: Status
    at_ms: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A message's file, and how it and the message's text go to the channel (``plan``; there is nothing else to
    send then).

    ``read`` yields the file's bytes in chunks of at most 1 MiB. The last one comes only when all of them, together,
    are what was uploaded, so who passes them on never completes a file that is not. It raises ``DeliveryFailed``
    (``file-corrupt``, ``file-missing``) or ``FileStoreUnavailable``. ``url``: for channels that fetch files
    themselves; anybody can get the file there for some days. ``handle``: what ``Connector.upload`` returned.
    """

    plan: MediaPlan
    metadata: FileMetadata
    url: str
    read: Callable[[], AsyncIterator[bytes]]
    handle: str = ""


class Connector(Protocol):
    """One channel.

    ``repeatable`` says whether a send whose outcome is unknown may be made again without a second delivery, because
    the channel recognises our message id. No real provider offers that today; the simulated one does.
    """

    channel: str
    repeatable: bool

    async def upload(self, attachment: Attachment) -> str:
        """Do with the file what has to be done before the message goes, and return the channel's name for it.

        Called unless the file goes as a link; whoever cannot do anything with it yet reads it, so that nothing goes
        that is corrupt. Nothing of it reaches a person, so it may be cancelled at any time, and repeated. Raises what
        ``attachment.read`` raises, ``DeliveryFailed``, or ``Unavailable``.
        """
        ...

    async def send(self, request: DeliveryRequested, attempt: int, attachment: Attachment | None = None) -> SendOutcome:
        """Hand the message over, with its file if it has one; return what came of it.

        It raises nothing for what the provider did. The caller bounds the call in time (``CHAT4ALL_SEND_SECONDS``),
        and takes any exception, a cancellation inside the call included, as ``Unknown``.
        """
        ...

    def receipts(self, request: DeliveryRequested, sent: Sent) -> AsyncIterator[Receipt]:
        """Yield the receipts that this process itself will see; none for channels that report by webhook."""
        ...
