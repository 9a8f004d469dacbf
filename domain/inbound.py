"""The contents of a provider's webhook, as values: parsers make them, the agents of a channel's role act on them.

``domain/records.py`` says where each travels. ``app/kafka/codec.py`` turns them into JSON and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Happening(StrEnum):
    """The kind of one element of a webhook."""

    MESSAGE = "message"  # a person wrote
    REACTION = "reaction"  # a person reacted to a message, or took the reaction back
    RECEIPT = "receipt"  # the channel's later word about a message of ours
    OPT_OUT = "opt-out"  # the person wants nothing more: blocked us, stopped marketing
    OPT_IN = "opt-in"
    IDENTITY = "identity"  # the person's identifiers changed
    ACCOUNT = "account"  # news about our account: quality, capability, template status
    IGNORED = "ignored"  # a known kind with nothing to do: counted
    UNKNOWN = "unknown"  # a kind that the parser does not know: kept, counted


class ElementOutcome(StrEnum):
    """The outcome for one element of a webhook. Each ends in exactly one of these."""

    RECEIPT = "receipt"  # went to the delivery that it is about
    ORPHAN = "orphan"  # a receipt of a message that we do not know
    MESSAGE = "message"
    REACTION = "reaction"
    OPT_OUT = "opt-out"
    OPT_IN = "opt-in"
    IDENTITY = "identity"
    DUPLICATE = "duplicate"
    ACCOUNT = "account"
    IGNORED = "ignored"
    UNKNOWN = "unknown"  # stays in the raw topic; of a person's message it is shown as ``unsupported``
    NOBODY = "nobody"  # about a person, but without any identifier
    OTHER_ACCOUNT = "other-account"  # of an account that accounts.toml does not name
    MALFORMED = "malformed"  # kept as a dead letter


@dataclass(frozen=True, slots=True)
class Person:
    """The identifiers of a person for one account of ours; each may be empty.

    ``phone``: E.164 with the plus sign. ``user_id``: the provider's own id, the one that always works: WhatsApp's
    business-scoped id, Instagram's IGSID, Telegram's chat id. ``handle``: with ``@``. ``name``: for display.
    """

    phone: str = ""
    user_id: str = ""
    handle: str = ""
    name: str = ""

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The identifiers that are there, the most lasting one first."""
        return tuple(one for one in (self.user_id, self.phone, self.handle) if one)


@dataclass(frozen=True, slots=True)
class Media:
    """A file of an inbound message, still with the provider. ``id``: by which ``fetch`` finds it; ``url``: if known.

    ``kind``: image, audio, video, document or sticker. ``sha256``: hexadecimal; ``size_bytes``: 0 if unknown.
    """

    id: str = ""
    url: str = ""
    kind: str = "document"
    mime_type: str = ""
    filename: str = ""
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """On ``<channel>-inbound``, keyed by account: one element of a webhook, in its provider's order.

    ``happening``: a member of ``Happening``. ``account``: our name of the account. ``our_id``: the payload's own id of
    it (WhatsApp's phone_number_id, Instagram's id; empty on Telegram). ``element_id``: the provider's id of the
    element, the same when it comes again (a message's id; ``<id> <status>`` of a receipt). ``at_ms``: the provider's
    time. ``kind``, ``content``, ``body``, ``media``: as ``domain/kinds.py`` says. ``target_id``: the provider's id of
    the message that a reply quotes, a reaction or a receipt is about. ``token``: our echoed token, empty if there is
    none. ``status``, ``failure_code``, ``failure_detail``, ``pricing`` (JSON): of a receipt. ``former``: of an identity
    change; of an opt-out that the answer to a send revealed, what the conversation calls the person. ``detail``: the
    provider's word for what was ignored or unknown, and at most 4,096 characters of it.
    """

    happening: str
    element_id: str
    at_ms: int
    account: str = ""
    our_id: str = ""
    person: Person = Person()
    former: Person = Person()
    kind: str = "text"
    content: str = ""
    body: Mapping[str, object] = field(default_factory=dict, hash=False)
    media: tuple[Media, ...] = ()
    target_id: str = ""
    token: str = ""
    status: str = ""
    failure_code: str | None = None
    failure_detail: str | None = None
    detail: str = ""
    pricing: str = ""


@dataclass(frozen=True, slots=True)
class SentReported:
    """On ``<channel>-inbound``, keyed by account: the channel took a message. It ties the provider's id to it.

    ``token``: the ``delivery_key``. ``address``: the recipient's address as recorded; ``to``: the identifier that the
    provider answered with, if it did. ``part_ids``: the provider's ids of the message's later parts.
    """

    account: str
    provider_id: str
    conversation_id: str
    token: str
    address: str
    at_ms: int
    to: str = ""
    part_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadMarked:
    """On ``<channel>-inbound``, keyed by account: a participant read a person's message, which the person may be told.

    ``provider_id``: the channel's id of the message. ``is_typing``: the participant is writing an answer.
    """

    account: str
    provider_id: str
    at_ms: int
    is_typing: bool = False


@dataclass(frozen=True, slots=True)
class WebhookReceived:
    """On ``<channel>-webhooks``, keyed by account: the raw body of a provider's POST, before anything parsed it.

    ``headers``: those of interest, in lower case. ``at_ms``: the time of the request, by this process's clock.
    ``signers``: our accounts with the secret that authenticated it; the payload may speak of no other. Empty in records
    of older releases.
    """

    account: str
    headers: Mapping[str, str]
    raw: bytes
    at_ms: int
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """On ``<channel>-contacts``, keyed by conversation: what is known of a person, for one conversation and account.

    ``address``: as messages of the conversation name it. ``to``: the identifier that the provider takes now.
    ``window_until_ms``: until then anything may be sent (epoch milliseconds), 0 if the person never wrote.
    ``opted_out``: nothing may be sent until the person comes back. ``is_taken``: outside the conversation ``address``
    is somebody else's by now. A later ``at_ms`` replaces an earlier one.
    """

    channel: str
    account: str
    address: str
    conversation_id: str
    to: str
    person: Person
    window_until_ms: int
    opted_out: bool
    at_ms: int
    is_taken: bool = False
