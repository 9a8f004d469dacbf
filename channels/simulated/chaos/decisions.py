"""The provider's decision about a call: pure, and the same for the same seed, token and number of the call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from channels.simulated.chaos.chance import Chance
from channels.simulated.chaos.faults import CALL_FAULTS, CUT, SILENT, UNAUTHORIZED, UNAVAILABLE, Faults
from domain.outcomes import Refusal, Scope


class Answer(StrEnum):
    """The answer to a call."""

    TAKEN = "taken"
    HANG = "hang"  # none, and the connection stays open
    CUT = "cut"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    ERROR = "error"
    HTML = "html"
    BAD_JSON = "bad-json"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"


@dataclass(frozen=True, slots=True)
class Decision:
    """``takes``: the person gets the message. ``scope``: of a throttle. ``early``: its first receipt comes before the
    answer."""

    answer: Answer
    takes: bool
    wait_seconds: float = 0.0
    after_seconds: float | None = None
    refusal: Refusal | None = None
    scope: Scope = Scope.ACCOUNT
    early: bool = False


_ANSWERS = {
    "timeout_before_share": (Answer.HANG, False),
    "timeout_after_share": (Answer.HANG, True),
    "cut_before_share": (Answer.CUT, False),
    "cut_after_share": (Answer.CUT, True),
    "throttle_share": (Answer.THROTTLED, False),
    "bare_throttle_share": (Answer.THROTTLED, False),
    "unavailable_share": (Answer.UNAVAILABLE, False),
    "error_share": (Answer.ERROR, None),  # None: half of them
    "html_share": (Answer.HTML, None),
    "bad_json_share": (Answer.BAD_JSON, None),
    "refuse_share": (Answer.REFUSED, False),
    "unauthorized_share": (Answer.UNAUTHORIZED, False),
}
_OF_WINDOW = {
    UNAVAILABLE: Answer.UNAVAILABLE,
    SILENT: Answer.HANG,
    CUT: Answer.CUT,
    UNAUTHORIZED: Answer.UNAUTHORIZED,
}
# of one message: what breaks the channel's rules stops the whole account
REFUSALS = (Refusal.PERMANENT, Refusal.OPTED_OUT, Refusal.OUTSIDE_WINDOW)


def in_window(faults: Faults, channel: str, account: str, seconds: float) -> Decision | None:
    """Return the answer of an outage ``seconds`` after the faults were set, ``None`` if there is none."""
    for window in faults.windows:
        if window.covers(channel, account, seconds):
            return Decision(_OF_WINDOW[window.kind], takes=False)
    return None


def throttled(faults: Faults) -> Decision:
    """Return the answer beyond the account's rate."""
    return Decision(Answer.THROTTLED, takes=False, after_seconds=faults.retry_after_seconds)


def decide(faults: Faults, token: str, number: int) -> Decision:
    """Return the decision for call ``number`` (from 1) of ``token``."""
    chance = Chance(faults.seed, token, number)
    wait_seconds = chance.within("latency", faults.latency_seconds)
    if chance.of("slow") < faults.slow_share:
        wait_seconds += chance.within("slowness", faults.slow_seconds)
    # a refusal is the message's own: each further call for it is refused, too
    refused_until, drawn = faults.refuse_share, Chance(faults.seed, token, 0).of("refusal")
    if drawn < refused_until:
        return Decision(Answer.REFUSED, False, wait_seconds, refusal=chance.one_of("kind", REFUSALS))
    fault, drawn = "", chance.of("fault") * (1 - faults.refuse_share)
    for name in CALL_FAULTS:
        if name == "refuse_share":
            continue
        drawn -= getattr(faults, name)
        if drawn < 0:
            fault = name
            break
    if not fault:
        return Decision(Answer.TAKEN, True, wait_seconds, early=chance.of("early") < faults.early_share)
    answer, takes = _ANSWERS[fault]
    after_seconds = faults.retry_after_seconds if fault == "throttle_share" else None
    if takes is None:
        takes = chance.of("takes") < 0.5
    scope = chance.one_of("scope", (Scope.ACCOUNT, Scope.PAIR))
    return Decision(answer, takes, wait_seconds, after_seconds, scope=scope)
