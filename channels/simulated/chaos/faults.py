"""How a simulated provider misbehaves, as one frozen value.

A share is a probability from 0 to 1. Of one call at most one of the faults of ``CALL_FAULTS`` comes true; their shares
add up to at most 1. Slowness, and each fault of a receipt, is decided by itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Self

UNAVAILABLE, SILENT, CUT, UNAUTHORIZED = "unavailable", "silent", "cut", "unauthorized"
WINDOW_KINDS = (UNAVAILABLE, SILENT, CUT, UNAUTHORIZED)
MOST_WINDOWS = 100
MOST_SECONDS = 86_400.0


class InvalidFaults(ValueError):
    """A fault's name, type or range is wrong."""


@dataclass(frozen=True, slots=True)
class Window:
    """Every call for an account of a channel fails from ``from_seconds`` to ``to_seconds`` after the faults were set.

    ``*`` is all of them. ``kind``: ``unavailable`` (503), ``silent`` (no answer), ``cut`` (the connection is
    cut) or ``unauthorized`` (401). No message is taken in a window.
    """

    channel: str = "*"
    account: str = "*"
    kind: str = UNAVAILABLE
    from_seconds: float = 0.0
    to_seconds: float = MOST_SECONDS

    def covers(self, channel: str, account: str, seconds: float) -> bool:
        """Return whether a call for the account fails ``seconds`` after the faults were set."""
        is_its = self.channel in ("*", channel) and self.account in ("*", account)
        return is_its and self.from_seconds <= seconds < self.to_seconds


CALL_FAULTS = (
    "timeout_before_share",
    "timeout_after_share",
    "cut_before_share",
    "cut_after_share",
    "throttle_share",
    "bare_throttle_share",
    "unavailable_share",
    "error_share",
    "html_share",
    "bad_json_share",
    "refuse_share",
    "unauthorized_share",
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Friendly by default. *Before* and *after*: before or after the provider took the message."""

    seed: int = 1

    # each call
    latency_seconds: tuple[float, float] = (0.005, 0.02)
    slow_share: float = 0.0
    slow_seconds: tuple[float, float] = (1.0, 5.0)
    hang_seconds: float = 20.0  # how long a timed-out or silent call stays open
    timeout_before_share: float = 0.0
    timeout_after_share: float = 0.0
    cut_before_share: float = 0.0
    cut_after_share: float = 0.0
    throttle_share: float = 0.0  # 429 with Retry-After
    retry_after_seconds: float = 1.0
    bare_throttle_share: float = 0.0  # 429 without
    unavailable_share: float = 0.0  # 503 with the provider's own body: not taken
    error_share: float = 0.0  # 500: half of these messages are taken
    html_share: float = 0.0  # an error page of ``html_bytes``: half of these messages are taken
    html_bytes: int = 300_000
    bad_json_share: float = 0.0  # 200 with a cut JSON: half of these messages are taken
    refuse_share: float = 0.0  # refused for good, by token: every call for it
    unauthorized_share: float = 0.0  # 401
    account_per_second: float = 0.0  # messages of an account; beyond it 429; 0: no limit
    windows: tuple[Window, ...] = ()

    # the receipts of each taken message
    delivered_seconds: tuple[float, float] = (0.0, 0.2)  # after the message was taken
    read_seconds: tuple[float, float] = (0.0, 0.3)  # after DELIVERED
    never_delivered_share: float = 0.0
    never_read_share: float = 0.0
    late_share: float = 0.0
    late_seconds: float = 5.0
    twice_share: float = 0.0
    disorder_share: float = 0.0  # READ before DELIVERED
    early_share: float = 0.0  # DELIVERED before the answer to the call
    fail_later_share: float = 0.0  # FAILED instead of DELIVERED
    heal_share: float = 0.0  # of those: DELIVERED and READ after FAILED
    impossible_time_share: float = 0.0  # microseconds, 1969, or ten years ahead
    tokenless_share: float = 0.0  # receipts with the provider's id alone
    stranger_share: float = 0.0  # one more receipt for a message that nobody sent

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(f.name, getattr(self, f.name))
        if (total := sum(getattr(self, name) for name in CALL_FAULTS)) > 1 + 1e-9:
            raise InvalidFaults(f"the shares of a call's faults add up to {total:g}; at most 1")

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return these faults with ``changes`` (name → JSON or TOML value). Raises ``InvalidFaults``."""
        known = {f.name: f.default for f in fields(self)}
        if unknown := sorted(set(changes) - set(known)):
            raise InvalidFaults(f"unknown fault {unknown[0]!r}; known are {', '.join(sorted(known))}")
        return replace(self, **{name: _value(name, value, known[name]) for name, value in changes.items()})

    def document(self) -> dict[str, Any]:
        """Return the faults as a JSON object, from which ``changed`` makes them again."""
        names = [f.name for f in fields(self) if f.name != "windows"]
        windows = [{f.name: getattr(w, f.name) for f in fields(w)} for w in self.windows]
        return {**{name: getattr(self, name) for name in names}, "windows": windows}


def from_toml(text: str, faults: Faults | None = None) -> Faults:
    """Return ``faults`` (default: friendly ones) with the changes of a TOML file. Raises ``InvalidFaults``.

    A key ``preset`` names where to begin instead.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidFaults(f"not TOML: {error}") from None
    begin = faults or Faults()
    if "preset" in document:
        begin = preset(document.pop("preset"), begin.seed)
    return begin.changed(document)


def preset(name: object, seed: int = 1) -> Faults:
    """Return the named faults with a seed. Raises ``InvalidFaults``."""
    if not isinstance(name, str) or name not in PRESETS:
        raise InvalidFaults(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return replace(PRESETS[name], seed=seed)


def _value(name: str, value: Any, default: Any) -> Any:
    if name == "windows":
        if not isinstance(value, list) or len(value) > MOST_WINDOWS:
            raise InvalidFaults(f"windows: expected a list of at most {MOST_WINDOWS}")
        return tuple(_window(each) for each in value)
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise InvalidFaults(f"{name}: expected two numbers, the least and the most")
        return tuple(_number(name, each) for each in value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise InvalidFaults(f"{name}: expected true or false, not {value!r:.80}")
        return value
    if isinstance(default, int):
        if type(value) is not int:
            raise InvalidFaults(f"{name}: expected a whole number, not {value!r:.80}")
        return value
    return _number(name, value)


def _window(value: Any) -> Window:
    if isinstance(value, Window):
        return value
    known = {f.name for f in fields(Window)}
    if not isinstance(value, dict) or not set(value) <= known:
        raise InvalidFaults(f"windows: expected objects with some of {', '.join(sorted(known))}, not {value!r:.80}")
    channel, account, kind = value.get("channel", "*"), value.get("account", "*"), value.get("kind", UNAVAILABLE)
    if not isinstance(channel, str) or not isinstance(account, str) or not isinstance(kind, str):
        raise InvalidFaults("windows: channel, account and kind are texts")
    from_seconds = _number("from_seconds", value.get("from_seconds", 0.0))
    return Window(channel, account, kind, from_seconds, _number("to_seconds", value.get("to_seconds", MOST_SECONDS)))


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidFaults(f"{name}: expected a number, not {value!r:.80}")
    return float(value)


def _check(name: str, value: Any) -> None:
    if name.endswith("_share") and not 0 <= value <= 1:
        raise InvalidFaults(f"{name} is {value:g}; a share is from 0 to 1")
    if isinstance(value, tuple) and name.endswith("_seconds") and not 0 <= value[0] <= value[1] <= MOST_SECONDS:
        raise InvalidFaults(f"{name} is {value}; expected 0 ≤ least ≤ most ≤ {MOST_SECONDS:g}")
    if isinstance(value, float) and not 0 <= value <= MOST_SECONDS:
        raise InvalidFaults(f"{name} is {value:g}; expected 0 to {MOST_SECONDS:g}")
    if name == "html_bytes" and not 0 <= value <= 10_000_000:
        raise InvalidFaults(f"{name} is {value}; expected 0 to 10,000,000")
    if name == "windows":
        for window in value:
            if window.kind not in WINDOW_KINDS:
                raise InvalidFaults(f"windows: kind {window.kind!r}; known are {', '.join(WINDOW_KINDS)}")


_BAD = Faults(
    slow_share=0.02,
    timeout_after_share=0.002,
    cut_after_share=0.002,
    throttle_share=0.02,
    unavailable_share=0.02,
    error_share=0.002,
    refuse_share=0.01,
    never_delivered_share=0.02,
    never_read_share=0.1,
    late_share=0.05,
    twice_share=0.05,
)
WORST = Faults(
    slow_share=0.03,
    slow_seconds=(0.5, 3.0),
    hang_seconds=12.0,
    timeout_before_share=0.01,
    timeout_after_share=0.01,
    cut_before_share=0.01,
    cut_after_share=0.01,
    throttle_share=0.03,
    retry_after_seconds=0.5,
    bare_throttle_share=0.02,
    unavailable_share=0.03,
    error_share=0.02,
    html_share=0.01,
    bad_json_share=0.01,
    refuse_share=0.02,
    never_delivered_share=0.05,
    never_read_share=0.1,
    late_share=0.1,
    twice_share=0.15,
    disorder_share=0.1,
    early_share=0.1,
    fail_later_share=0.03,
    heal_share=0.5,
    impossible_time_share=0.03,
    stranger_share=0.01,
)
PRESETS: Mapping[str, Faults] = MappingProxyType({"friendly": Faults(), "bad": _BAD, "worst": WORST})
