"""WhatsApp's errors: the code decides, the words never do (Cloud API, "Error codes"; checked on 2026-11-27).

``_OUTCOMES`` maps each class of codes to an outcome; the word of a code becomes ``failure.code``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from channels.meta.errors import GraphError, graph_error
from channels.payloads import payload_of
from channels.provider.answers import after_seconds
from domain.outcomes import NotNow, Refusal, Refused, Scope, SendOutcome, Unknown, shortened

DOUBT_SECONDS = 30.0  # a taken message's first status comes within seconds
LONG_SECONDS = 3_600.0  # of a limit that counts by the hour
EXCERPT = 200  # characters of an answer that is not understood


class ErrorClass(Enum):
    """The consequences of a code for the message, the account and the person."""

    THROTTLE = auto()  # the account gets more than it takes: it pauses, and no attempt is counted
    PAIR = auto()  # the same for this person alone
    TRANSIENT = auto()  # the ordinary back-off
    LONG = auto()  # after the hour; no attempt is counted
    POLICY = auto()  # the account broke a rule, or owes money
    PERMANENT = auto()  # this message, never
    WINDOW = auto()  # outside the reply window only a template may be sent
    OPT_OUT = auto()  # the person wants no more of it
    AUTHENTICATION = auto()  # the account itself must not send


WORDS: Mapping[ErrorClass, Mapping[str, tuple[int, ...]]] = {
    ErrorClass.THROTTLE: {"throttled": (4, 80007, 130429, 131057)},
    ErrorClass.PAIR: {"pair-throttled": (131056,)},
    ErrorClass.TRANSIENT: {"channel-trouble": (1, 2, 131000, 131016, 135000), "media-not-taken": (131053,)},
    ErrorClass.LONG: {"flow-throttled": (132069,), "registration-throttled": (133016,)},
    ErrorClass.POLICY: {
        "spam-limit": (131048,),
        "templates-misclassified": (131064,),
        "account-restricted": (368, 131031, 130497),
        "payment-missing": (131042, 131044),
    },
    ErrorClass.WINDOW: {Refusal.OUTSIDE_WINDOW: (131047,)},
    ErrorClass.OPT_OUT: {Refusal.OPTED_OUT: (131050,)},
    ErrorClass.PERMANENT: {
        "held-back": (131049, 130472),  # kept from a person who gets too much marketing, or who is in an experiment
        "undeliverable": (131026,),
        "kind-unsupported": (131051,),
        "invalid-message": (100, 131008, 131009),
        "account-unknown": (33,),
        "recipient-is-sender": (131021,),
        "recipient-not-allowed": (131030,),
        "media-not-found": (131052,),
        "template-parameters": (132000, 132012, 132018),
        "template-missing": (132001,),
        "template-too-long": (132005,),
        "template-policy": (132007,),
        "template-paused": (132015,),
        "template-disabled": (132016,),
        "flow-blocked": (132068,),
        "phone-number-needed": (131062,),
        "marketing-off": (131063,),
        "group-gone": (131020, 131041),
        "service-off": (137000,),
    },
    ErrorClass.AUTHENTICATION: {
        "unauthorized": (0, 3, 10, 190, 131005, 131045, *range(200, 300)),
        "display-name-not-approved": (131037,),
    },
}
_CODES = {code: (kind, word) for kind, words in WORDS.items() for word, codes in words.items() for code in codes}
_DOUBTFUL = frozenset({1, 2, 131000})  # with a 5xx Meta does not know itself what went wrong
_TEMPLATES = range(132000, 132017)

_OUTCOMES: Mapping[ErrorClass, Callable[[str, str, float | None], SendOutcome]] = {
    ErrorClass.THROTTLE: lambda word, detail, after: NotNow(detail, after, Scope.ACCOUNT, is_throttling=True),
    ErrorClass.PAIR: lambda word, detail, after: NotNow(detail, after, Scope.PAIR, is_throttling=True),
    ErrorClass.TRANSIENT: lambda word, detail, after: NotNow(detail, after, Scope.MESSAGE),
    # the conversation waits with it, since its order is kept
    ErrorClass.LONG: lambda word, detail, after: NotNow(detail, after or LONG_SECONDS, Scope.PAIR),
    ErrorClass.POLICY: lambda word, detail, after: Refused(word, detail, Refusal.POLICY),
    ErrorClass.PERMANENT: lambda word, detail, after: Refused(word, detail, Refusal.PERMANENT),
    ErrorClass.WINDOW: lambda word, detail, after: Refused(word, detail, Refusal.OUTSIDE_WINDOW),
    ErrorClass.OPT_OUT: lambda word, detail, after: Refused(word, detail, Refusal.OPTED_OUT),
    ErrorClass.AUTHENTICATION: lambda word, detail, after: Refused(word, detail, Refusal.AUTHENTICATION),
}


def class_of(code: int) -> tuple[ErrorClass, str] | None:
    """Return the class of a code and its word; ``None`` for a code that is not in the table."""
    if code in _TEMPLATES:
        return _CODES.get(code, (ErrorClass.PERMANENT, "template-refused"))
    return _CODES.get(code)


def word_of(code: int) -> str:
    """Return the word of a code, for ``failure.code``."""
    found = class_of(code)
    return found[1] if found else f"whatsapp-{code}"


def refusal_of(status: int, body: bytes, retry_after: str | None, now_ms: int) -> SendOutcome:
    """Return the outcome of an answer that is not a success. ``now_ms``: for a ``Retry-After`` date.

    A code that is not in the table refuses the message with a 4xx, and leaves the outcome open with a 5xx. A doubtful
    code is tried again after ``DOUBT_SECONDS``: a status with our token, which proves the first send, comes before.
    """
    error, after = graph_error(payload_of(body)), after_seconds(retry_after, now_ms)
    detail = _detail(status, body, error)
    if error is not None and (found := class_of(error.code)):
        kind, word = found
        if status >= 500 and error.code in _DOUBTFUL:
            after = max(after or 0.0, DOUBT_SECONDS)
        return _OUTCOMES[kind](word, detail, after)
    if status == 429 or (status == 503 and after is not None):
        return NotNow(detail, after, Scope.ACCOUNT, is_throttling=status == 429)
    if status == 401:
        return Refused("unauthorized", detail, Refusal.AUTHENTICATION)
    if error is not None and 400 <= status < 500 and status != 408:
        return Refused(word_of(error.code), detail)
    return Unknown(detail)


def _detail(status: int, body: bytes, error: GraphError | None) -> str:
    if error is not None:
        return shortened(error.detail)
    return f"status {status}: {body[: 4 * EXCERPT].decode('utf-8', 'replace')[:EXCERPT]!r}"
