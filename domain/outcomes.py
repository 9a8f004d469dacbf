"""The outcome of a connector's call to its channel.

A connector raises for no answer of a provider: it returns one of these four. ``Unknown`` is the safe answer to
everything else, since a second send without evidence may reach the person twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

MOST_ANSWER = 4_096  # characters of a provider's answer in a trace
MOST_TEXT = 2_000  # characters of a channel's text, which goes into records and to users
OUTCOME_UNKNOWN = "outcome-unknown"


class Refusal(StrEnum):
    """Why a channel refuses a message for good."""

    PERMANENT = "permanent"
    OPTED_OUT = "opted-out"
    OUTSIDE_WINDOW = "outside-window"
    POLICY = "policy"
    AUTHENTICATION = "authentication"


class Scope(StrEnum):
    """The scope of a wait: this message, everything between the two, or everything of the account."""

    MESSAGE = "message"
    PAIR = "pair"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call to a provider, for the trace. Nothing in it is secret.

    ``status``: the answer's HTTP status, 0 without one. ``answer``: its body, redacted, at most ``MOST_ANSWER``
    characters. Times are milliseconds, -1 if not measured.
    """

    status: int = 0
    answer: str = ""
    connect_ms: int = -1
    first_byte_ms: int = -1
    duration_ms: int = -1


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel took the message. ``provider_id``: the channel's id of it; ``at_ms``: when, by the channel's clock,
    epoch milliseconds. ``to``: the recipient's identifier as the provider names it, if it said so. ``part_ids``: the
    channel's ids of the later parts of a message that took several calls."""

    provider_id: str
    at_ms: int
    to: str = ""
    exchange: Exchange | None = field(default=None, compare=False)
    part_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel refuses the message for good. ``code``: a stable word; ``detail``: a sentence for people.

    ``cause``: the answer to a later part of a message whose first part was taken. The message is not begun anew; the
    account and the person are dealt with as the cause says.
    """

    code: str
    detail: str
    kind: Refusal = Refusal.PERMANENT
    exchange: Exchange | None = field(default=None, compare=False)
    cause: Refused | NotNow | None = None


@dataclass(frozen=True, slots=True)
class NotNow:
    """The channel did not take the message, and may take it later: at the earliest ``after_seconds`` from now, if the
    channel said so. ``is_throttling``: it gets more messages than it takes; else it is out of order."""

    detail: str
    after_seconds: float | None = None
    scope: Scope = Scope.MESSAGE
    is_throttling: bool = False
    exchange: Exchange | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing tells whether the channel took the message: a time-out, a cut connection, an answer without meaning."""

    detail: str
    exchange: Exchange | None = field(default=None, compare=False)


SendOutcome = Sent | Refused | NotNow | Unknown


def cause_of(outcome: SendOutcome) -> SendOutcome:
    """Return the consequences of the outcome for the account and the person: its ``cause`` if it has one."""
    return outcome.cause or outcome if isinstance(outcome, Refused) else outcome


def shortened(text: str) -> str:
    """Return ``text``, or its first ``MOST_TEXT`` characters with an ellipsis as the last."""
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"


def bounded(outcome: SendOutcome) -> SendOutcome:
    """Return ``outcome`` with each text at most ``MOST_TEXT`` characters long.

    Raises ``TypeError`` for anything else, and ``ValueError`` for a provider id over its limit: a cut id would be
    another message's.
    """
    match outcome:
        case Sent(provider_id):
            if (longest := max(map(len, (provider_id, *outcome.part_ids)))) > MOST_TEXT:
                raise ValueError(f"the channel's id of the message has {longest} characters")
            return outcome
        case Refused(code, detail):
            return replace(outcome, code=shortened(code), detail=shortened(detail))
        case NotNow(detail) | Unknown(detail):
            return outcome if len(detail) <= MOST_TEXT else replace(outcome, detail=shortened(detail))
    raise TypeError(f"a connector returns Sent, Refused, NotNow or Unknown, not {type(outcome).__name__}")
