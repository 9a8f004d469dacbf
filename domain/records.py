"""The facts on the topics, as values. ``app/kafka/codec.py`` turns them into JSON and back.

On the wire each is one JSON object with ``type`` and ``version`` besides the fields below:

    {"type":"MessageAccepted","version":1,"message_id":"0193…","conversation_id":"c-1","sender_id":"0193…",
     "recipient_id":"whatsapp:+5511999990000","content":"hi","file_id":null}

With a file there is ``"file":{"filename":…,"size_bytes":…,"mimetype":…,"checksum":…,"storage_path":…}``, too.

Unknown fields are ignored on the way in; an unknown version is a ``MalformedRecord``. Fields added later have a
default; at its default such a field is left out, so a message to one address looks as it always did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.files import FileMetadata
from domain.inbound import ContactChanged, InboundEvent, ReadMarked, SentReported, WebhookReceived
from domain.kinds import FILE, INBOUND, OUTBOUND, TEXT
from domain.traces import TraceRecorded

MAX_CONTENT_BYTES = 10_240
MAX_CONVERSATION_ID_CHARS = 128
MAX_RECIPIENTS = 256
MAX_LETTERS = 500
NORMAL = "normal"
BULK = "bulk"
CHANNEL_COMMANDS = ("redrive", "discard", "cancel", "release", "pause", "resume", "hold")


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """On ``messages``: a message accepted by the API. Its time of acceptance is the broker's append time of the
    record.

    ``recipient_id`` is the client's choice: an address, a user id, or nothing for everyone in the conversation. In the
    two latter cases ``recipients`` holds the addresses resolved when the message was accepted, and ``recipient_users``
    their owners, one for one: a user id, empty for a participating address. Both are empty for everyone in a
    conversation without other participants. ``file`` is the metadata of ``file_id`` at that time, so no later stage
    has to look it up. ``account``: which of ours sends it, empty for the conversation's. ``not_after_ms``: it is not
    sent after this time, 0 if the client named none. ``priority``: ``NORMAL``, or ``BULK`` for what gives way.

    ``kind`` and ``body``: as ``domain/kinds.py`` says; a message with a file and no other kind has the kind ``TEXT``
    here. ``reply_to``: the quoted message's id. ``target_id``: the provider's id of the message that ``reply_to`` or a
    reaction names, if the API knew it, and ``target_address`` the one address to which it means something.
    ``recipient_ids``: the provider's identifier of each of ``targets``, resolved at acceptance, empty where the address
    itself is one; ``recipient_accounts``: if ``account`` is empty, the account with which each of them last wrote,
    empty for the channel's default.

    ``direction``: ``INBOUND`` for a person's message to us. Then ``sender_id`` is the person's address,
    ``sender_name`` their name, ``provider_id`` the channel's id of the message, ``account`` the one that got it,
    ``sent_at_ms`` the channel's time of it, and ``members`` the user ids with whom the conversation is made if it does
    not exist.
    """

    message_id: str
    conversation_id: str
    sender_id: str
    recipient_id: str
    content: str
    file_id: str | None = None
    recipients: tuple[str, ...] = ()
    recipient_users: tuple[str, ...] = ()
    file: FileMetadata | None = None
    account: str = ""
    not_after_ms: int = 0
    priority: str = NORMAL
    kind: str = TEXT
    body: Mapping[str, object] = field(default_factory=dict, hash=False)
    reply_to: str = ""
    target_id: str = ""
    recipient_ids: tuple[str, ...] = ()
    direction: str = OUTBOUND
    sender_name: str = ""
    provider_id: str = ""
    sent_at_ms: int = 0
    members: tuple[str, ...] = ()
    target_address: str = ""
    recipient_accounts: tuple[str, ...] = ()

    @property
    def is_inbound(self) -> bool:
        """Whether a person sent it to us."""
        return self.direction == INBOUND

    @property
    def shown_kind(self) -> str:
        """The kind as answers name it: a text with a file is a ``FILE``."""
        return FILE if self.kind == TEXT and self.file_id is not None else self.kind

    @property
    def targets(self) -> tuple[str, ...]:
        """The addresses of the message: none if it is for everyone and there was no other participant."""
        return self.recipients or ((self.recipient_id,) if self.recipient_id else ())

    def address_of(self, user_id: str) -> str | None:
        """Return the address at which the message reaches this user, ``None`` if it does not."""
        for address, user in zip(self.recipients, self.recipient_users, strict=False):
            if user == user_id:
                return address
        return None


@dataclass(frozen=True, slots=True)
class DeliveryRequested:
    """On ``<channel>-outbound``: one message for one address of the channel, out of ``recipient_count`` addresses.

    ``accepted_at_ms`` (epoch milliseconds) and ``position`` are the broker's append time and the offset of the
    ``MessageAccepted`` record on ``messages``. Together with the conversation they are the message's position in its
    history, so every later fact carries them and no view has to look them up.
    """

    message_id: str
    conversation_id: str
    sender_id: str
    recipient_id: str
    content: str
    file_id: str | None
    accepted_at_ms: int
    position: int
    recipient_count: int = 1
    file: FileMetadata | None = None
    account: str = ""
    not_after_ms: int = 0
    priority: str = NORMAL
    kind: str = TEXT
    body: Mapping[str, object] = field(default_factory=dict, hash=False)
    reply_to: str = ""
    target_id: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """On ``status-updates``: one fact about one message. ``status`` is a member of ``domain.status.Status``.

    If the message goes to several addresses, every fact holds their number (``recipient_count``) and its own address
    (``recipient_id``; empty: the message itself). ``pricing``: what the provider charges, as it said it, JSON.
    ``overtaken_at_ms``: of a fact that says ACCEPTED once more, because later messages to the address go before it from
    then on.
    """

    message_id: str
    conversation_id: str
    status: str
    at_ms: int
    accepted_at_ms: int
    position: int
    channel: str
    attempt: int = 0
    provider_id: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None
    recipient_id: str = ""
    recipient_count: int = 1
    account: str = ""
    pricing: str = ""
    overtaken_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class ReceiptReported:
    """On ``<channel>-events``: a channel's later word about a message it took.

    ``status``: SENT, DELIVERED, READ or FAILED; ``at_ms``: the channel's time, epoch milliseconds. ``token``: the
    ``delivery_key`` of the request, echoed by the channel; empty if it echoes none. ``pricing``: as in
    ``StatusChanged``.
    """

    account: str
    provider_id: str
    token: str
    status: str
    at_ms: int
    failure_code: str | None = None
    failure_detail: str | None = None
    pricing: str = ""


@dataclass(frozen=True, slots=True)
class ChannelCommand:
    """On ``<channel>-commands``: an operator's command to the deliveries of a channel.

    ``command``: a member of ``CHANNEL_COMMANDS``. ``token``: the ``delivery_key`` of the delivery; ``request``: the
    ``DeliveryRequested`` to be sent again, as it was on ``<channel>-outbound``. Pause, resume and hold name an
    ``account`` and are written to each partition. A worker writes hold: the account sends nothing before ``until_ms``.
    """

    command: str
    command_id: str
    account: str = ""
    message_id: str = ""
    token: str = ""
    request: bytes | None = None
    by: str = ""
    at_ms: int = 0
    reason: str = ""
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class AccountReport:
    """On ``<channel>-accounts``, key ``<account> <partition>``: the state of an account by the owner of a partition.

    ``breaker``: a member of ``domain.breaker.BreakerState``. ``per_second``: messages allowed on this partition, 0 for
    no limit. ``waiting_by``: the number of waiting heads by reason.
    """

    channel: str
    account: str
    partition: int
    breaker: str
    paused: bool
    waiting: int
    in_flight: int
    per_second: float
    at_ms: int
    last_error: str = ""
    waiting_by: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """On ``dead-letters``: an unprocessable record, whole: ``key`` and ``value`` are its bytes."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    at_ms: int
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class DeadLetterResolved:
    """On ``dead-letter-resolutions``, on the partition of its letters: an operator's word on some dead letters.

    ``offsets``: the letters' offsets on ``dead-letters``, at most ``MAX_LETTERS``. ``action``: "redriven" or
    "discarded". ``resolution_id`` (a UUID) is also the ``command_id`` of the commands. ``supersedes``: the resolution
    that it replaces, empty for none; for a letter with another resolution by then it counts for nothing. ``is_done``:
    the commands are durable, which a second record of the same ``resolution_id`` says. ``by``: a username.
    """

    action: str
    resolution_id: str
    offsets: tuple[int, ...]
    by: str
    at_ms: int
    reason: str = ""
    supersedes: str = ""
    is_done: bool = False


def delivery_key(record: DeliveryRequested | StatusChanged) -> str:
    """Return the key of a delivery in the tables: the message's id, with the address if it goes to several."""
    if record.recipient_count > 1 and record.recipient_id:
        return f"{record.message_id} {record.recipient_id}"
    return record.message_id


Record = (
    MessageAccepted
    | DeliveryRequested
    | StatusChanged
    | ReceiptReported
    | ChannelCommand
    | AccountReport
    | TraceRecorded
    | InboundEvent
    | SentReported
    | ReadMarked
    | WebhookReceived
    | ContactChanged
    | DeadLetter
    | DeadLetterResolved
)
